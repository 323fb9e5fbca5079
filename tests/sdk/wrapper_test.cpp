// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <weir/plugin.hpp>
#include <weir/testkit.hpp>

namespace {

using namespace weir::testkit;

const std::string file = std::string(WEIR_TEST_FIXTURES) + "/shop-floor.so";

Result end(Host &host, const std::string &how) { return host.handle("account.ended.v1", R"({"how": ")" + how + "\"}"); }

} // namespace

TEST_CASE("a descriptor says what the plugin's source says") {
    Host host(file);
    const auto &descriptor = host.module().descriptor();
    CHECK(detail::string(descriptor.name) == "shop-floor");
    CHECK(descriptor.table_count == 2);
    CHECK(descriptor.domain_count == 2);
    const auto &domain = descriptor.domains[0];
    CHECK(domain.order == WEIR_ORDER_PARALLEL);
    CHECK(domain.topic_count == 2);
    REQUIRE(domain.binding_count == 1);
    CHECK(detail::string(domain.bindings[0].event_id) == "position");
    CHECK(detail::string(domain.bindings[0].aliases[0].alias) == "AccountSeen");
    CHECK(detail::string(domain.bindings[0].keys[0]) == "/payload/email");
    const auto &accounts = host.module().tables()[0];
    CHECK(accounts.columns[4].precision == 12);
    CHECK(accounts.columns[4].scale == 2);
    CHECK(std::get<std::int64_t>(accounts.columns[3].default_value) == -3);
    CHECK(accounts.indexes.size() == 2);
    CHECK(accounts.indexes[1].unique);
    const auto &notes = host.module().tables()[1];
    REQUIRE(notes.references.size() == 1);
    CHECK(notes.references[0].target == 0);
    CHECK(descriptor.read_count == 1);
    CHECK(host.module().handler("account.seen.v2") != nullptr);
    CHECK(host.module().handler("account.seen.v3") == nullptr);
}

TEST_CASE("sums, extremes, kept cells and defaults come out as stated") {
    Host host(file);
    host.set_now("2025-05-05T05:05:05Z");
    host.handle("account.seen.v1", R"({"email": "Ada@Example.com", "visits": 2, "at": "2025-01-02T00:00:00Z", "extra": {"a": 1}})")
        .expect_ok();
    host.handle("account.seen.v1",
                R"({"email": "ada@example.COM", "visits": 5, "at": "2025-01-01T00:00:00+01:00", "ratio": 0.25, "open": false})")
        .expect_ok();
    REQUIRE(host.rows("accounts").size() == 1);
    host.expect_row("accounts", {"ADA@EXAMPLE.COM"},
                    {{"email", "Ada@Example.com"},
                     {"visits", "4"},
                     {"balance", "1.00"},
                     {"first_seen", "2024-12-31T23:00:00.000000Z"},
                     {"label", "a temporary that is gone when the change is stated"},
                     {"made_at", "2025-05-05T05:05:05.000000Z"},
                     {"ratio", "0.25"},
                     {"extra", R"({"a": 1})"},
                     {"open", "false"},
                     {"raw", {}}});
    CHECK(host.handle("account.seen.v1", R"({"email": "a@b", "visits": 1.5, "at": "2025-01-01T00:00:00Z"})")
              .expect_rejected("invalid_field")
              .error_message == "/payload/visits: must be a whole number");
    host.handle("account.seen.v1", R"({"email": "a@b", "visits": 1, "at": "yesterday"})").expect_rejected("invalid_field");
    CHECK(host.handle("account.seen.v1", R"({"email": "a@b", "visits": 1, "at": "2025-01-01T00:00:00Z", "paid": 12.505})")
              .expect_rejected("invalid_field")
              .error_message == "/payload/paid: must be a decimal number of up to 18 digits, at most 2 of them behind the point");
    host.handle("account.seen.v1", R"({"email": "a@b", "visits": 1, "at": "2025-01-01T00:00:00Z", "open": null})")
        .expect_rejected("missing_field");
}

TEST_CASE("a read sees the handler's own changes, and what is emitted carries key and headers") {
    Host host(file);
    const Result result = host.handle("account.read.v1", R"({"email": "ada@example.com"})").expect_ok();
    REQUIRE(result.emitted.size() == 1);
    CHECK(result.emitted[0].topic == "shop.out.v1");
    CHECK(result.emitted[0].key == "ada@example.com");
    CHECK(result.emitted[0].payload == R"({"label": "written first"})");
    CHECK(result.emitted[0].headers[0].second == host.row("accounts", {"ada@example.com"})->at("id"));
    CHECK(result.emitted[0].headers[1].second == "0");
    CHECK(result.log == std::vector<std::string>{"no ratio"});
    host.expect_row("accounts", {"ada@example.com"}, {{"raw", "01ff"}});
}

TEST_CASE("ids that a handler makes are UUIDv5 of the event's id, so that a rerun says the same") {
    Host host(file);
    Given given;
    given.event_id = "6BA7B810-9DAD-11D1-80B4-00C04FD430C8";
    host.handle("note.added.v1", "{}", given).expect_ok();
    const std::string id(uuid_v5(*weir::Uuid::parse(given.event_id), "7").text());
    host.expect_row("notes", {id}, {{"account", {}}, {"body", "caf\u00e9 \U0001F600"}});
    host.handle("note.added.v1", "{}", given).expect_ok();
    CHECK(host.rows("notes").size() == 1);
    host.handle("note.removed.v1", R"({"id": ")" + id + "\"}").expect_ok();
    host.expect_no_row("notes", {id});
    // the example of RFC 9562, appendix A.4
    CHECK(uuid_v5(*weir::Uuid::parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "www.example.com").text() ==
          "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

TEST_CASE("a reference to a row that is not there rejects the event") {
    Host host(file);
    host.handle("note.added.v1", R"({"email": "nobody@example.com"})").expect_rejected("constraint_violation");
    host.handle("account.read.v1", R"({"email": "somebody@example.com"})").expect_ok();
    host.handle("note.added.v1", R"({"email": "Somebody@Example.com"})").expect_ok();
}

TEST_CASE("however a handler ends, it ends in a status, and only success leaves rows") {
    Host host(file);
    end(host, "reject").expect_rejected("asked_for");
    end(host, "retry").expect_retry("not_yet");
    end(host, "fatal").expect_fatal("broken");
    end(host, "skip").expect_skipped();
    end(host, "throw reject").expect_rejected("asked_for");
    end(host, "throw retry").expect_retry("not_yet");
    end(host, "throw skip").expect_skipped();
    CHECK(end(host, "throw error").expect_rejected("handler_threw").error_message == "as asked");
    end(host, "throw number").expect_rejected("handler_threw");
    end(host, "throw in a chain").expect_rejected("missing_field");
    CHECK(host.rows("accounts").empty());
    CHECK(end(host, "catch in a chain").expect_ok().changes.size() == 1);
    host.expect_no_row("accounts", {"chain@example.com"});
}

TEST_CASE("mistakes in the plugin reject the event and say what they are") {
    Host host(file);
    CHECK(end(host, "go on too late").expect_rejected("plugin_error").error_message ==
          "a change was gone on with after the next change, read or emit had begun");
    CHECK(end(host, "undeclared table").expect_rejected("plugin_error").error_message ==
          "a table is used that .tables(...) in WEIR_PLUGIN does not name");
    end(host, "wrong instance").expect_rejected("plugin_error");
}

TEST_CASE("settings are read by type, fall back to the declared defaults, and refuse with their name") {
    const auto refused = [](const std::string &settings) {
        try {
            Host host(file, {.settings = settings});
        } catch (const Refused &error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(refused(R"({"limit": 100, "greeting": "a\"b\\c", "nested": []})").empty());
    CHECK(refused(R"({"limit": 101})") == "settings.limit must be a whole number from 1 to 100");
    CHECK(refused(R"({"limit": "1"})") == "settings.limit must be a whole number from 1 to 100");
    CHECK(refused(R"({"rate": true})") == "settings.rate must be a number");
    CHECK(refused(R"({"greeting": 1})") == "settings.greeting must be text");
    CHECK(refused(R"({"greeting": "do not start"})") == "settings.greeting must be something else");
}

TEST_CASE("settings are found whatever else the object holds") {
    const weir::Settings settings(R"( { "a" : {"limit": 1, "x": "}"} , "b":[ "\"" , {} ] ,"limit" : 7 , "na\u006de" : "v\n" } )", "");
    CHECK(settings.integer("limit") == 7);
    CHECK(settings.text("name") == "v\n");
    CHECK(settings.json("a").text == R"({"limit": 1, "x": "}"})");
    CHECK_FALSE(settings.has("x"));
    CHECK_THROWS_WITH(settings.boolean("x"), "settings.x is not set, and the plugin declares no default for it");
    CHECK_FALSE(weir::Settings("{}", "{}").has("limit"));
    CHECK_FALSE(weir::Settings("", "").has("limit"));
}

TEST_CASE("decimals are exact or refused") {
    CHECK(weir::Decimal<2>::parse("-12.5")->unscaled == -1250);
    CHECK(weir::Decimal<2>::parse("0.05")->unscaled == 5);
    CHECK(weir::Decimal<0>::parse("17")->unscaled == 17);
    for (const char *wrong : {"", "-", "1.", ".5", "1.234", "1e3", "1.2.3", "99999999999999999999", " 1"}) {
        INFO(wrong);
        CHECK_FALSE(weir::Decimal<2>::parse(wrong));
    }
}
