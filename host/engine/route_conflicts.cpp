// SPDX-License-Identifier: Apache-2.0
#include "engine/route_conflicts.hpp"

namespace weir::engine {

RouteClaims::RouteClaims(const std::map<std::string, std::string> &host_routes) {
    for (const auto &[shape, owner] : host_routes) {
        owners_[shape] = {"", "the host (" + owner + ")"};
    }
}

void RouteClaims::hold(const std::string &domain, const std::string &plugin, const std::string &shape) {
    owners_.try_emplace(shape, Owner{plugin, "plugin " + plugin + " (domain " + domain + ")"});
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
        hold(domain, plugin.name, plugin::route_shape(route.method, route.path));
    }
    return std::nullopt;
}

} // namespace weir::engine
