// SPDX-License-Identifier: Apache-2.0
#include "engine/route_conflicts.hpp"

namespace weir::engine {

RouteClaims::RouteClaims(const std::map<std::string, std::string> &host_routes) {
    for (const auto &[shape, owner] : host_routes) {
        owners_[shape] = {"", "the host (" + owner + ")"};
    }
}

std::optional<std::string> RouteClaims::claim(const std::string &domain, const plugin::Description &plugin) {
    for (const plugin::Route &route : plugin.routes) {
        const auto taken = owners_.find(plugin::route_shape(route.method, route.path));
        if (taken != owners_.end() && taken->second.plugin != plugin.name) {
            return "domain " + domain + ": the route " + plugin::route_name(route) + " of plugin " + plugin.name + " is one that " +
                   taken->second.text + " has already. Remove one of the two, or change the route's path";
        }
    }
    for (const plugin::Route &route : plugin.routes) {
        owners_.try_emplace(plugin::route_shape(route.method, route.path),
                            Owner{plugin.name, "plugin " + plugin.name + " (domain " + domain + ")"});
    }
    return std::nullopt;
}

} // namespace weir::engine
