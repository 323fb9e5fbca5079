// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "metrics/figures.hpp"

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

namespace weir::metrics {

/// Counts answers of an HTTP server by listener, route, method and status. There are as many as there are routes and statuses: paths that
/// match no route are counted together. Thread-safe.
class HttpCounts {
public:
    void observe(std::string_view listener, std::string_view route, std::string_view method, int status, double seconds);
    std::vector<RouteFigures> figures() const;

private:
    using Key = std::tuple<std::string, std::string, std::string, int>;
    using KeyView = std::tuple<std::string_view, std::string_view, std::string_view, int>;
    struct Before {
        using is_transparent = void;
        template <typename A, typename B> bool operator()(const A &a, const B &b) const { return view(a) < view(b); }
        static KeyView view(const Key &key) { return {std::get<0>(key), std::get<1>(key), std::get<2>(key), std::get<3>(key)}; }
        static KeyView view(const KeyView &key) { return key; }
    };
    mutable std::mutex mutex_;
    std::map<Key, engine::Histogram, Before> counts_;
};

} // namespace weir::metrics
