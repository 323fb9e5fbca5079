// SPDX-License-Identifier: Apache-2.0
// What a domain's service does for the plugin's routes.
#include "engine/domain_service.hpp"
#include "engine/route_board.hpp"

namespace weir::engine {

/// Null: nobody serves routes, or not a shadow's.
RouteBoard *DomainService::board() const { return store::is_shadow_schema(spec_.schema) ? nullptr : environment_.routes; }

bool DomainService::has_routes() const { return board() && !module_->description().routes.empty(); }

/// The plugin's tables, and the host's for requests behind them.
store::Schema DomainService::schema_of(const plugin::Module &module) const {
    return board() ? schema_with_requests(module.description()) : module.description().schema;
}

/// Routes of this generation that the service before this one served go on, with the instance that handles them: whoever listens to a
/// stream of theirs notices nothing of an outage. Null: there are none.
std::shared_ptr<plugin::Instance> DomainService::take_up_routes() {
    const auto routes = board() ? board()->service(spec_.name) : nullptr;
    if (routes && &routes->module() == module_.get()) {
        relay_bell_ = routes->relay_bell();
        return routes->instance();
    }
    return nullptr;
}

std::shared_ptr<RouteService> DomainService::make_routes(const std::shared_ptr<plugin::Instance> &instance) const {
    return board()->retirement().hand_out(
        std::make_unique<RouteService>(RouteService::Setup{spec_, instance, environment_.broker, environment_.contracts, relay_bell_}));
}

/// Before store and broker are asked: what needs one of them is answered while the other is away.
void DomainService::serve_routes_early(const std::shared_ptr<plugin::Instance> &instance) {
    if (!board()->service(spec_.name)) { // else those of the generation before go on until then
        board()->serve(make_routes(instance));
    }
}

/// The domain's tables are there.
void DomainService::serve_routes(const std::shared_ptr<plugin::Instance> &instance) {
    if (!has_routes()) {
        if (board()) {
            board()->withdraw(spec_.name); // those of the generation before
        }
        return;
    }
    const auto before = board()->service(spec_.name);
    const auto routes = before && before->instance() == instance ? before : make_routes(instance);
    routes->begin(environment_.store->domain(spec_.schema));
    if (routes != before) {
        board()->serve(routes);
    }
}

LedgerKeeper::Further DomainService::further_upkeep() const {
    return [board = board(), domain = spec_.name](event::Micros until, const std::function<bool()> &goes_on) {
        if (const auto routes = board ? board->service(domain) : nullptr) {
            routes->forget_requests(until, goes_on);
        }
    };
}

} // namespace weir::engine
