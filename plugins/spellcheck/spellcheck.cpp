// SPDX-License-Identifier: Apache-2.0
// The spell-check domain: who the users are, and the language and words of each of them.
#include <identity/projection.hpp>

namespace {

/// The dictionary of a user. `version` counts what the user saved; the defaults are version 1.
struct UserDictionaryPrefs : weir::Table<UserDictionaryPrefs> {
    Uuid tenant_id{this, "tenant_id"};
    Uuid user_id{this, "user_id"};
    Text language{this, "language"};
    Json custom_words{this, "custom_words", weir::default_to("[]")};
    Int64 version{this, "version", weir::default_to(1)};
    Timestamp updated_at{this, "updated_at"};

    constexpr UserDictionaryPrefs() : Table("user_dictionary_prefs") {}
    constexpr auto primary_key() const { return weir::key(tenant_id, user_id); }
};
constexpr UserDictionaryPrefs user_dictionary_prefs;

/// What a domain's settings say.
struct Spellcheck {
    bool eager_defaults;
    std::string default_language;
    explicit Spellcheck(const weir::Setup &setup)
        : eager_defaults(setup.settings().boolean("eager_defaults")), default_language(setup.settings().text("default_language")) {
        if (default_language.empty()) {
            throw weir::SettingsError("settings.default_language must not be empty");
        }
    }
};

} // namespace

WEIR_PLUGIN(spellcheck, "spellcheck", "1.0.0") {
    plugin.summary("Keeps users and their dictionaries for the spell-check service")
        .tables(identity::projection, user_dictionary_prefs)
        .domain({.name = "spellcheck",
                 .schema = "spell_checking",
                 .group = "spellcheck_group",
                 .topics = {"identity.user.v1"},
                 .bindings = {identity::binding()}})
        .settings(R"({"eager_defaults": true, "default_language": "en"})")
        .instance<Spellcheck>();
    identity::declare_reads(plugin);
}

WEIR_HANDLER(spellcheck, user_created) {
    identity::user_created(event, call);
    const auto &settings = call.instance<Spellcheck>();
    if (settings.eager_defaults) {
        call.insert(user_dictionary_prefs, event.tenant_uuid(), event.uuid("/user_id"))
            .set(user_dictionary_prefs.language, settings.default_language)
            .set(user_dictionary_prefs.updated_at, event.occurred_at());
    }
}

WEIR_HANDLER(spellcheck, user_updated) { identity::user_updated(event, call); }

WEIR_HANDLER(spellcheck, user_disabled) { identity::user_disabled(event, call); }
