// SPDX-License-Identifier: Apache-2.0
// What a domain's service does for the plugin's routes.
#include "engine/domain_service.hpp"
#include "engine/route_board.hpp"

namespace weir::engine {

/// The plugin's tables, and the host's for requests behind them; a shadow serves none.
store::Schema DomainService::schema_of(const plugin::Module &module) const {
    return environment_.routes && !store::is_shadow_schema(spec_.schema) ? schema_with_requests(module.description())
                                                                         : module.description().schema;
}

void DomainService::serve_routes(const std::shared_ptr<plugin::Instance> &instance) {
    if (!environment_.routes || store::is_shadow_schema(spec_.schema)) {
        return;
    }
    if (instance->module().description().routes.empty()) {
        environment_.routes->withdraw(spec_.name); // those of an older generation
        return;
    }
    environment_.routes->serve(std::make_shared<RouteService>(RouteService::Setup{
        spec_, instance, domain_store_, environment_.broker, environment_.contracts, [bell = relay_bell_] { bell->ring(); }}));
}

} // namespace weir::engine
