// SPDX-License-Identifier: Apache-2.0
// The linting domain: who the users are, and which rules each of them wants applied.
#include <identity/projection.hpp>

namespace {

/// The rules of a user. `version` counts what the user saved; the defaults are version 1.
struct UserPrefs : weir::Table<UserPrefs> {
    Uuid tenant_id{this, "tenant_id"};
    Uuid user_id{this, "user_id"};
    Json rules{this, "rules", weir::default_to("{}")};
    Int64 version{this, "version", weir::default_to(1)};
    Timestamp updated_at{this, "updated_at"};

    constexpr UserPrefs() : Table("user_prefs") {}
    constexpr auto primary_key() const { return weir::key(tenant_id, user_id); }
};
constexpr UserPrefs user_prefs;

/// What a domain's settings say.
struct Linting {
    bool eager_defaults;
    explicit Linting(const weir::Setup &setup) : eager_defaults(setup.settings().boolean("eager_defaults")) {}
};

} // namespace

WEIR_PLUGIN(linting, "linting", "1.0.0") {
    plugin.summary("Keeps users and their rules for the linting service")
        .tables(identity::projection, user_prefs)
        .domain({.name = "linting",
                 .schema = "linting",
                 .group = "lint_group",
                 .topics = {"identity.user.v1"},
                 .bindings = {identity::binding()}})
        .settings(R"({"eager_defaults": true})")
        .instance<Linting>();
    identity::declare_reads(plugin);
}

WEIR_HANDLER(linting, user_created) {
    identity::user_created(event, call);
    if (call.instance<Linting>().eager_defaults) {
        call.insert(user_prefs, event.tenant_uuid(), event.uuid("/user_id")).set(user_prefs.updated_at, event.occurred_at());
    }
}

WEIR_HANDLER(linting, user_updated) { identity::user_updated(event, call); }

WEIR_HANDLER(linting, user_disabled) { identity::user_disabled(event, call); }
