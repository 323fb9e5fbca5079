// SPDX-License-Identifier: Apache-2.0
// The linting domain: who the users are, and which rules each of them wants applied.
#include <identity/preferences.hpp>

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

WEIR_ROUTE(show_prefs);
WEIR_ROUTE(replace_prefs);

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
    weir::Routes(plugin)
        .get("/linting/users/{tenant}/{user}/prefs", show_prefs, {.summary = "The rules that a user wants applied", .guarded = true})
        .put("/linting/users/{tenant}/{user}/prefs", replace_prefs,
             {.summary = "Replaces a user's rules; If-Match names their version", .guarded = true});
}

WEIR_HANDLER(linting, user_created) {
    identity::user_created(event, call);
    if (call.instance<Linting>().eager_defaults) {
        call.insert(user_prefs, event.tenant_uuid(), event.uuid("/user_id")).set(user_prefs.updated_at, event.occurred_at());
    }
}

WEIR_HANDLER(linting, user_updated) { identity::user_updated(event, call); }

WEIR_HANDLER(linting, user_disabled) { identity::user_disabled(event, call); }

namespace {

void answer(weir::Reply &reply, std::string_view rules, std::int64_t version, std::optional<weir::Timestamp> updated_at) {
    reply.header("ETag", identity::tag_of(version))
        .json(weir::JsonObject().add("rules", weir::Json(rules)).add("version", version).add("updated_at", updated_at).text());
}

} // namespace

WEIR_ROUTE(show_prefs) {
    const auto tenant = request.uuid("tenant");
    const auto user = request.uuid("user");
    if (const auto row = call.read(user_prefs, tenant, user)) {
        return answer(reply, (*row)[user_prefs.rules].text, (*row)[user_prefs.version], (*row)[user_prefs.updated_at]);
    }
    identity::expect_known(call, tenant, user);
    answer(reply, "{}", 0, std::nullopt);
}

WEIR_ROUTE(replace_prefs) {
    const auto tenant = request.uuid("tenant");
    const auto user = request.uuid("user");
    const auto rules = request.body().json("/rules");
    if (request.body().kind("/rules") != WEIR_JSON_OBJECT) {
        return reply.problem(422, "invalid_field", "/rules: must be an object");
    }
    const auto row = call.read(user_prefs, tenant, user);
    const std::int64_t version = row ? (*row)[user_prefs.version] : 0;
    if (!row) {
        identity::expect_known(call, tenant, user);
    }
    identity::expect_current(request, version);
    call.upsert(user_prefs, tenant, user)
        .set(user_prefs.rules, rules)
        .set(user_prefs.version, version + 1)
        .set(user_prefs.updated_at, call.now());
    reply.status(row ? 200 : 201);
    answer(reply, rules.text, version + 1, call.now());
}
