// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/route.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

class ResponseCache;

/// A table of routes, built once and never changed: to change routes, build another and give it to the server. Requests keep the table that
/// they were matched by alive until they are answered, so what handlers refer to may be owned by them. Thread-safe.
class Routes {
public:
    struct Built {
        std::shared_ptr<const Routes> routes; ///< null where there are problems
        std::vector<std::string> problems;    ///< sentences that name pattern, method and owners
        std::vector<std::size_t> refused;     ///< the place in what was given of the route that each of them is about; ascending
    };

    /// Refuses patterns that are none, two routes of one method whose patterns match the same paths (`/a/{x}` and `/a/{y}`), a name that is
    /// twice in a pattern, HEAD and OPTIONS (the server answers them), and routes without exactly one handler.
    static Built build(std::vector<Route> routes);

    struct Match {
        const Route *route = nullptr; ///< null: no route of this method; where `allowed` is empty as well, no path either
        std::vector<Parameter> parameters;
        std::string allowed; ///< for 405 and OPTIONS: "GET, HEAD, OPTIONS"
    };

    /// @param segments decoded segments of the path; "/" has none
    Match match(Method method, const std::vector<std::string> &segments) const;

    /// In the order given to `build`; hidden ones too.
    const std::vector<Route> &all() const { return routes_; }

    /// Answers kept for routes with `max_age`; it lives and dies with the table.
    ResponseCache &cache() const { return *cache_; }

    ~Routes();
    Routes(const Routes &) = delete;
    Routes &operator=(const Routes &) = delete;

private:
    struct Node;
    struct Place;
    Routes();

    std::vector<Route> routes_;
    std::vector<std::unique_ptr<Place>> places_;
    std::unique_ptr<Node> root_;
    std::unique_ptr<ResponseCache> cache_;
};

} // namespace weir::http
