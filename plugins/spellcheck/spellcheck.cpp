// SPDX-License-Identifier: Apache-2.0
// The spell-check domain: who the users are, and the language and words of each of them.
#include <identity/preferences.hpp>

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

WEIR_ROUTE(show_prefs);
WEIR_ROUTE(replace_prefs);

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
    weir::Routes(plugin)
        .get("/spellcheck/users/{tenant}/{user}/prefs", show_prefs, {.summary = "A user's language and own words", .guarded = true})
        .put("/spellcheck/users/{tenant}/{user}/prefs", replace_prefs,
             {.summary = "Replaces a user's language and words; If-Match names their version", .guarded = true});
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

namespace {

constexpr std::uint64_t words_max = 10000;
constexpr std::size_t language_bytes_max = 35; // of a BCP 47 tag, RFC 5646 section 4.4.1

void answer(weir::Reply &reply, std::string_view language, std::string_view words, std::int64_t version,
            std::optional<weir::Timestamp> updated_at) {
    reply.header("ETag", identity::tag_of(version))
        .json(weir::JsonObject()
                  .add("language", language)
                  .add("custom_words", weir::Json(words))
                  .add("version", version)
                  .add("updated_at", updated_at)
                  .text());
}

/// Throws unless it is a list of words.
void check_words(const weir::Event &body) {
    const auto count = body.length("/custom_words");
    if (!count || body.kind("/custom_words") != WEIR_JSON_ARRAY || *count > words_max) {
        throw weir::Reject("invalid_field", "/custom_words: must be a list of up to " + std::to_string(words_max) + " words");
    }
    for (std::uint64_t i = 0; i < *count; ++i) {
        if (body.text("/custom_words/" + std::to_string(i)).empty()) {
            throw weir::Reject("invalid_field", "/custom_words/" + std::to_string(i) + ": must not be empty");
        }
    }
}

} // namespace

WEIR_ROUTE(show_prefs) {
    const auto tenant = request.uuid("tenant");
    const auto user = request.uuid("user");
    if (const auto row = call.read(user_dictionary_prefs, tenant, user)) {
        return answer(reply, (*row)[user_dictionary_prefs.language], (*row)[user_dictionary_prefs.custom_words].text,
                      (*row)[user_dictionary_prefs.version], (*row)[user_dictionary_prefs.updated_at]);
    }
    identity::expect_known(call, tenant, user);
    answer(reply, call.instance<Spellcheck>().default_language, "[]", 0, std::nullopt);
}

WEIR_ROUTE(replace_prefs) {
    const auto tenant = request.uuid("tenant");
    const auto user = request.uuid("user");
    const auto language = request.body().text("/language");
    const auto words = request.body().json("/custom_words");
    if (language.empty() || language.size() > language_bytes_max) {
        return reply.problem(422, "invalid_field", "/language: must be a language tag such as en or pt-BR");
    }
    check_words(request.body());
    const auto row = call.read(user_dictionary_prefs, tenant, user);
    const std::int64_t version = row ? (*row)[user_dictionary_prefs.version] : 0;
    if (!row) {
        identity::expect_known(call, tenant, user);
    }
    identity::expect_current(request, version);
    call.upsert(user_dictionary_prefs, tenant, user)
        .set(user_dictionary_prefs.language, language)
        .set(user_dictionary_prefs.custom_words, words)
        .set(user_dictionary_prefs.version, version + 1)
        .set(user_dictionary_prefs.updated_at, call.now());
    reply.status(row ? 200 : 201);
    answer(reply, language, words.text, version + 1, call.now());
}
