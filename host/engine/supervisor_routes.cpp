// SPDX-License-Identifier: Apache-2.0
// Which domains may have the routes that they are wanted with, and how these get on.
#include "engine/overdue_routes.hpp"
#include "engine/route_board.hpp"
#include "engine/route_conflicts.hpp"
#include "engine/supervisor.hpp"

#include <algorithm>
#include <set>

namespace weir::engine {

// Two plugins, or a plugin and the host, that answer the same requests: the one that was there first does.
void Supervisor::drop_route_conflicts(std::map<std::string, Wanted> &all, std::map<std::string, std::string> &unserved) const {
    std::vector<std::pair<std::uint64_t, std::string>> order;
    for (const auto &[domain, wanted] : all) {
        order.emplace_back(module_order_.at(wanted.spec.plugin), domain);
    }
    std::sort(order.begin(), order.end());
    for (bool again = true; again;) {
        again = false;
        RouteClaims claims(host_routes_);
        hold_routes(all, unserved, claims);
        for (const auto &[unused, domain] : order) {
            const auto wanted = all.find(domain);
            if (wanted == all.end()) {
                continue;
            }
            if (auto conflict = claims.claim(domain, wanted->second.module->description())) {
                unserved[domain] = *conflict;
                all.erase(wanted);
                again = again || workers_.contains(domain); // the generation before goes on, with all of its routes
            }
        }
    }
}

// Routes that are answered stay with who answers them, as far as what is wanted has them still; after these, routes of what was offered.
void Supervisor::hold_routes(const std::map<std::string, Wanted> &all, const std::map<std::string, std::string> &unserved,
                             RouteClaims &claims) const {
    std::map<std::string, std::set<std::string>> wanted_shapes; // by domain
    for (const auto &[domain, wanted] : all) {
        for (const plugin::Route &route : wanted.module->description().routes) {
            wanted_shapes[domain].insert(plugin::route_shape(route.method, route.path));
        }
    }
    const auto hold = [&](const std::string &domain, const std::string &plugin, const std::string &shape) {
        const auto wanted = all.find(domain);
        if (wanted == all.end() ? goes_on(domain, plugin, unserved)
                                : wanted->second.spec.plugin == plugin && wanted_shapes[domain].contains(shape)) {
            claims.hold(domain, plugin, shape);
        }
    };
    for (const RouteBoard::Entry &entry : environment_.routes->entries()) {
        if (entry.is_answered && workers_.contains(entry.service->spec().name)) {
            hold(entry.service->spec().name, entry.service->spec().plugin, entry.shape);
        }
    }
    for (const auto &[domain, module] : serving_) {
        for (const plugin::Route &route : module->description().routes) {
            hold(domain, module->description().name, plugin::route_shape(route.method, route.path));
        }
    }
}

// Some that take too long are told; the domain isn't ready where its routes are refused for it.
void Supervisor::add_overdue_routes(DomainStatus &status) const {
    const auto routes = environment_.routes ? environment_.routes->service(status.name) : nullptr;
    if (!routes) {
        return;
    }
    const std::string reason = routes->overdue().reason();
    status.overdue += routes->overdue().count();
    if (status.ready && routes->overdue().full()) {
        status.ready = false;
        status.reason = reason;
    } else {
        status.overdue_routes = reason;
    }
}

} // namespace weir::engine
