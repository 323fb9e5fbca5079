// SPDX-License-Identifier: Apache-2.0
// Keeps the identity projection and nothing else, for domains that no plugin claims.
#include <identity/projection.hpp>

WEIR_PLUGIN(projection, "projection", "1.0.0") {
    plugin.summary("Keeps the identity projection, for domains that need no code of their own")
        .tables(identity::projection)
        // Without topics it is not served by itself: it says how the topic is read in the domains that a configuration gives this plugin.
        .domain({.name = "identity-projection",
                 .schema = "identity_projection",
                 .group = "identity_projection_group",
                 .bindings = {identity::binding()}});
    identity::declare_reads(plugin);
}

WEIR_HANDLER(projection, user_created) { identity::user_created(event, call); }
WEIR_HANDLER(projection, user_updated) { identity::user_updated(event, call); }
WEIR_HANDLER(projection, user_disabled) { identity::user_disabled(event, call); }
