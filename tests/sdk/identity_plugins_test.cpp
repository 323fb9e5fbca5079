// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <catch2/catch.hpp>
#include <weir/testkit.hpp>

#include <sstream>

namespace {

using namespace weir::testkit;

const std::string tenant = "36f675cc-81e7-4ef5-a8e2-5d940ed90475";
const std::string user = "02bcbaa1-f4b6-47c1-a91b-5531e429370c";
const std::vector<std::string> key{tenant, user};

std::string plugin(const std::string &name) { return std::string(WEIR_TEST_PLUGINS) + "/" + name + ".so"; }

std::string with_user(const std::string &members = "") {
    return R"({"user_id": ")" + user + "\"" + (members.empty() ? "" : ", " + members) + "}";
}

/// An event of our user, `second` seconds into the day.
Given at(int second) {
    Given given;
    given.tenant_id = tenant;
    given.occurred_at = "2025-11-24T00:00:" + std::to_string(second + 10) + "Z";
    return given;
}

struct Counts {
    int messages = 0;
    int applied = 0;
    int duplicates = 0;
    int stale = 0;
    int ignored = 0;
    int dead = 0;
};

/// The whole sample, with the ledger's part done here: an id that is decided is decided.
Counts run_sample(Host &host) {
    Counts counts;
    std::set<std::string> decided;
    std::istringstream lines(weir::test::read_file(weir::test::source_directory() / "tests/samples/identity.user.v1.jsonl"));
    for (std::string line; std::getline(lines, line); ++counts.messages) {
        std::string id;
        try {
            const JsonValue message = JsonParser::parse(line);
            const JsonValue *member = message.at("/event_id");
            id = member ? detail::lower(member->text) : "";
        } catch (const JsonError &) {
            id.clear();
        }
        if (!id.empty() && !decided.insert(id).second) {
            ++counts.duplicates;
            continue;
        }
        const Result result = host.deliver(line, "identity.user.v1");
        counts.ignored += result.ignored ? 1 : 0;
        counts.dead += result.status == WEIR_REJECT ? 1 : 0;
        counts.applied += !result.ignored && result.status == WEIR_OK ? 1 : 0;
        counts.stale += result.stale ? 1 : 0;
    }
    return counts;
}

std::vector<std::vector<CellText>> expected_rows(const JsonValue &expected) {
    std::vector<std::vector<CellText>> out;
    for (const auto &[name, row] : expected.at("/identity_projection")->members) {
        auto &cells = out.emplace_back();
        for (const auto &[cell_name, cell] : row.members) {
            cells.push_back(cell.kind == WEIR_JSON_NULL ? CellText() : CellText(cell.text));
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<std::vector<CellText>> projection_rows(const Host &host) {
    std::vector<std::vector<CellText>> out;
    for (const Row &row : host.rows("identity_projection")) {
        out.push_back(
            {row.at("tenant_id"), row.at("user_id"), row.at("email"), row.at("display_name"), row.at("status"), row.at("updated_at")});
    }
    std::sort(out.begin(), out.end());
    return out;
}

} // namespace

TEST_CASE("the whole sample leaves the expected rows in each plugin that keeps the identity projection") {
    const JsonValue expected =
        JsonParser::parse(weir::test::read_file(weir::test::source_directory() / "tests/samples/identity.expected.json"));
    const std::string name = GENERATE(as<std::string>(), "linting", "spellcheck", "projection");
    INFO(name);
    Host host(plugin(name));
    const Counts counts = run_sample(host);
    CHECK(counts.messages == expected.at("/messages")->integer);
    CHECK(counts.applied == expected.at("/applied")->integer);
    CHECK(counts.duplicates == expected.at("/duplicates")->integer);
    CHECK(counts.stale == expected.at("/stale")->integer);
    CHECK(counts.ignored == expected.at("/ignored")->integer);
    CHECK(counts.dead == expected.at("/dead_letters")->integer);
    const auto rows = projection_rows(host);
    const auto wanted = expected_rows(expected);
    REQUIRE(rows.size() == wanted.size());
    CHECK(rows == wanted);
    if (name != "projection") {
        const auto prefs = host.rows(name == "linting" ? "user_prefs" : "user_dictionary_prefs");
        CHECK(static_cast<std::int64_t>(prefs.size()) == expected.at("/user_prefs")->integer);
    }
    host.close();
}

TEST_CASE("a created user has a row and the default preferences") {
    SECTION("linting") {
        Host host(plugin("linting"));
        host.handle("user.created.v1", with_user(R"("email": "ada@example.com")"), at(1)).expect_ok();
        host.expect_row("identity_projection", key, {{"email", "ada@example.com"}, {"display_name", {}}, {"status", "active"}});
        host.expect_row("user_prefs", key, {{"rules", "{}"}, {"version", "1"}, {"updated_at", "2025-11-24T00:00:11.000000Z"}});
    }
    SECTION("spellcheck, in the configured language") {
        Host host(plugin("spellcheck"), {.settings = R"({"default_language": "cs"})"});
        host.handle("user.created.v1", with_user(), at(1)).expect_ok();
        host.expect_row("user_dictionary_prefs", key, {{"language", "cs"}, {"custom_words", "[]"}, {"version", "1"}});
    }
}

TEST_CASE("default preferences are not made where the setting says so, and are made by a stale event too") {
    SECTION("switched off") {
        Host host(plugin("linting"), {.settings = R"({"eager_defaults": false})"});
        host.handle("user.created.v1", with_user(), at(1)).expect_ok();
        CHECK(host.rows("user_prefs").empty());
    }
    SECTION("stale") {
        Host host(plugin("linting"));
        host.handle("user.updated.v1", with_user(R"("email": "new@example.com")"), at(9)).expect_ok();
        CHECK(host.handle("user.created.v1", with_user(R"("email": "old@example.com")"), at(1)).expect_ok().stale);
        host.expect_row("identity_projection", key, {{"email", "new@example.com"}});
        CHECK(host.rows("user_prefs").size() == 1);
    }
}

TEST_CASE("a user's saved preferences survive a second created event") {
    Host host(plugin("linting"));
    host.put("user_prefs", {{"tenant_id", tenant},
                            {"user_id", user},
                            {"rules", R"({"MD013": false})"},
                            {"version", "7"},
                            {"updated_at", "2025-01-01T00:00:00Z"}});
    host.handle("user.created.v1", with_user(), at(1)).expect_ok();
    host.expect_row("user_prefs", key, {{"rules", R"({"MD013": false})"}, {"version", "7"}, {"updated_at", "2025-01-01T00:00:00.000000Z"}});
}

TEST_CASE("an update changes only what it carries, null included") {
    Host host(plugin("projection"));
    host.handle("user.created.v1", with_user(R"("email": "ada@example.com", "display_name": "Ada")"), at(1)).expect_ok();
    host.handle("user.updated.v1", with_user(R"("display_name": "Ada L.")"), at(2)).expect_ok();
    host.expect_row("identity_projection", key, {{"email", "ada@example.com"}, {"display_name", "Ada L."}, {"status", "active"}});
    host.handle("user.updated.v1", with_user(R"("email": null)"), at(3)).expect_ok();
    host.expect_row("identity_projection", key, {{"email", {}}, {"display_name", "Ada L."}});
}

TEST_CASE("a disabled user's row takes no personal data until an update says active") {
    Host host(plugin("projection"));
    host.handle("user.created.v1", with_user(R"("email": "ada@example.com", "display_name": "Ada")"), at(1)).expect_ok();
    host.handle("user.disabled.v1", with_user(), at(2)).expect_ok();
    host.expect_row("identity_projection", key, {{"email", {}}, {"display_name", {}}, {"status", "disabled"}});
    host.handle("user.updated.v1", with_user(R"("email": "ada@example.com")"), at(3)).expect_ok();
    host.expect_row("identity_projection", key, {{"email", {}}, {"status", "disabled"}, {"updated_at", "2025-11-24T00:00:13.000000Z"}});
    CHECK(host.handle("user.updated.v1", with_user(R"("status": "active", "email": "late@example.com")"), at(2)).expect_ok().stale);
    host.expect_row("identity_projection", key, {{"status", "disabled"}});
    host.handle("user.updated.v1", with_user(R"("status": "active", "email": "ada@example.com")"), at(4)).expect_ok();
    host.expect_row("identity_projection", key, {{"email", "ada@example.com"}, {"status", "active"}});
}

TEST_CASE("an event of the same moment as the row still takes effect") {
    Host host(plugin("projection"));
    host.handle("user.created.v1", with_user(R"("email": "a@example.com")"), at(1)).expect_ok();
    CHECK_FALSE(host.handle("user.updated.v1", with_user(R"("email": "b@example.com")"), at(1)).expect_ok().stale);
    host.expect_row("identity_projection", key, {{"email", "b@example.com"}});
}

TEST_CASE("what is wrong in a payload rejects the event, names the pointer and leaves no trace") {
    Host host(plugin("linting"));
    const auto number = host.handle("user.created.v1", with_user(R"("email": 17)"), at(1)).expect_rejected("invalid_field");
    CHECK(number.error_message == "/payload/email: must be text");
    const auto missing = host.handle("user.created.v1", R"({"email": "a@example.com"})", at(1)).expect_rejected("missing_field");
    CHECK(missing.error_message == "/payload/user_id: is missing");
    host.handle("user.created.v1", R"({"user_id": "17"})", at(1)).expect_rejected("invalid_field");
    host.handle("user.created.v1", with_user(R"("display_name": "A\u0000")"), at(1)).expect_rejected("refused_by_host");
    host.handle("user.updated.v1", with_user(R"("status": 1)"), at(1)).expect_rejected("invalid_field");
    auto no_tenant = at(1);
    no_tenant.tenant_id = "";
    host.handle("user.created.v1", with_user(), no_tenant).expect_rejected("invalid_field");
    CHECK(host.rows("identity_projection").empty());
    CHECK(host.rows("user_prefs").empty());
}

TEST_CASE("settings that can't be used are refused with their name") {
    CHECK_THROWS_WITH(Host(plugin("linting"), {.settings = R"({"eager_defaults": "yes"})"}),
                      "settings.eager_defaults must be true or false");
    CHECK_THROWS_WITH(Host(plugin("spellcheck"), {.settings = R"({"default_language": ""})"}),
                      "settings.default_language must not be empty");
    CHECK_THROWS_WITH(Host(plugin("projection"), {.settings = R"({"eager_defaults": true})"}), // it declares none
                      Catch::Contains("settings.eager_defaults is unknown"));
    CHECK_THROWS_WITH(Host(plugin("linting"), {.settings = R"({"eager_default": true})"}),
                      Catch::Contains("settings.eager_default is unknown"));
}
