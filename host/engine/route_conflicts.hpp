// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/module.hpp"

#include <map>
#include <optional>
#include <string>

namespace weir::engine {

/// Who may answer which requests: found out before a generation is offered to its domain. Several domains of one plugin may have the same
/// routes: the first of them answers.
class RouteClaims {
public:
    /// @param host_routes shapes of the host's own routes, and who has them
    explicit RouteClaims(const std::map<std::string, std::string> &host_routes);

    /// Keeps routes of this shape (`plugin::route_shape`) for a domain that has them already: no other plugin can claim them. Those that
    /// are another's stay so.
    void hold(const std::string &domain, const std::string &plugin, const std::string &shape);

    /// Claims a domain's routes, all or none. @return why it can't have them, naming both sides; nothing where it has them
    std::optional<std::string> claim(const std::string &domain, const plugin::Description &plugin);

private:
    struct Owner {
        std::string plugin; ///< empty: the host
        std::string text;   ///< for messages
    };
    std::map<std::string, Owner> owners_;
};

} // namespace weir::engine
