// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <weir/testkit.hpp>

namespace {

using namespace weir::testkit;

const std::string file = std::string(WEIR_TEST_PLUGINS) + "/votes.so";

Result vote(Host &host, const std::string &payload, const std::string &at = "") {
    Given given;
    given.topic = "votes";
    given.occurred_at = at;
    return host.handle("vote.cast.v1", payload, given);
}

} // namespace

TEST_CASE("votes add up, and the time is that of the latest") {
    Host host(file);
    vote(host, R"({"vote": "cats"})", "2025-11-24T00:00:02Z").expect_ok();
    vote(host, R"({"vote": "cats"})", "2025-11-24T00:00:01Z").expect_ok();
    const Result last = vote(host, R"({"vote": "dogs"})", "2025-11-24T00:00:03Z").expect_ok();
    host.expect_row("vote_counts", {"cats"}, {{"count", "2"}, {"updated_at", "2025-11-24T00:00:02.000000Z"}});
    host.expect_row("vote_counts", {"dogs"}, {{"count", "1"}, {"updated_at", "2025-11-24T00:00:03.000000Z"}});
    REQUIRE(last.changes.size() == 1);
    CHECK(last.changes[0].operations.at("count") == "add"); // which needs no row
    CHECK(last.changes[0].operations.at("updated_at") == "max");
    host.close();
}

TEST_CASE("votes are added to counts that were there before") {
    Host host(file);
    host.put("vote_counts", {{"option", "dogs"}, {"count", "41"}, {"updated_at", "2020-01-01T00:00:00Z"}});
    vote(host, R"({"vote": "dogs"})").expect_ok();
    host.expect_row("vote_counts", {"dogs"}, {{"count", "42"}});
    host.close();
}

TEST_CASE("what is no vote for one of the options is rejected, and never asked for again") {
    Host host(file);
    vote(host, R"({"vote": "birds"})").expect_rejected("invalid_vote");
    vote(host, R"({"vote": "Cats"})").expect_rejected("invalid_vote");
    vote(host, R"({"vote": ""})").expect_rejected("invalid_vote");
    vote(host, R"({"vote": 1})").expect_rejected("invalid_field");
    vote(host, R"({"vote": null})").expect_rejected("missing_field");
    vote(host, R"({"option": "cats"})").expect_rejected("missing_field");
    vote(host, R"("cats")").expect_rejected("missing_field");
    CHECK(host.rows("vote_counts").empty());
    host.close();
}

TEST_CASE("what can be voted for is a setting") {
    Host host(file, {.settings = R"({"options": [ "tabs" ,"spa\u0063es", "\"neither\""]})"});
    vote(host, R"({"vote": "spaces"})").expect_ok();
    vote(host, R"({"vote": "tabs"})").expect_ok();
    vote(host, R"({"vote": "\"neither\""})").expect_ok();
    vote(host, R"({"vote": "cats"})").expect_rejected("invalid_vote");
    for (const char *settings : {R"({"options": []})", R"({"options": ["a", "a"]})", R"({"options": [""]})", R"({"options": ["a", 1]})",
                                 R"({"options": "cats"})", R"({"options": [["a"]]})"}) {
        INFO(settings);
        CHECK_THROWS_AS(Host(file, {.settings = settings}), Refused);
    }
    host.close();
}

TEST_CASE("the votes plugin offers its count to other clients of the database") {
    const Host host(file);
    const auto &descriptor = host.module().descriptor();
    REQUIRE(descriptor.counter_count == 1);
    CHECK(detail::string(descriptor.counters[0].name) == "increment_vote");
    CHECK(descriptor.counters[0].count_column == 1);
    CHECK(descriptor.counters[0].time_column == 2);
}

TEST_CASE("a vote over HTTP is published to the domain's topic and answered with 202") {
    Host host(file);
    const Answer answer = host.request("POST", "/api/vote", {.body = R"({"vote": "cats"})"}).expect(202);
    REQUIRE(answer.published.size() == 1);
    CHECK(answer.published[0].event_type == "vote.cast.v1");
    CHECK(answer.published[0].payload == R"({"vote":"cats"})");
    CHECK(answer.changes.empty());
    CHECK(answer.json().at("/vote")->text == "cats");
    host.request("POST", "/api/vote", {.body = R"({"vote": "birds"})"}).expect(422, "invalid_vote");
    host.request("POST", "/api/vote", {.body = R"({"vote": 1})"}).expect(422, "invalid_field");
    const Answer missing = host.request("POST", "/api/vote", {.body = "{}"}).expect(422, "missing_field");
    CHECK(missing.detail == "/vote: is missing");
    host.request("POST", "/api/vote").expect(422, "missing_field");
    host.request("POST", "/api/vote", {.body = "{"}).expect(400);
    host.request("GET", "/api/vote").expect(404);
    host.close();
}

TEST_CASE("the results name every option, its count and its percentage, and the total") {
    Host host(file);
    const Answer none = host.request("GET", "/api/results").expect(200);
    CHECK(none.body == R"({"options":["cats","dogs"],"counts":{"cats":0,"dogs":0},"total":0,"percentages":{"cats":0,"dogs":0}})");
    host.put("vote_counts", {{"option", "cats"}, {"count", "2"}, {"updated_at", "2025-01-01T00:00:00Z"}});
    host.put("vote_counts", {{"option", "dogs"}, {"count", "1"}, {"updated_at", "2025-01-01T00:00:00Z"}});
    host.put("vote_counts", {{"option", "birds"}, {"count", "9"}, {"updated_at", "2025-01-01T00:00:00Z"}});
    const Answer some = host.request("GET", "/api/results").expect(200);
    CHECK(some.body == R"({"options":["cats","dogs"],"counts":{"cats":2,"dogs":1},"total":3,"percentages":{"cats":66.67,"dogs":33.33}})");
    CHECK(host.request("GET", "/api/results/events").body == some.body);
    host.close();
}

TEST_CASE("the page is one of the plugin's routes, and loads nothing from elsewhere") {
    Host host(file);
    const Answer page = host.request("GET", "/").expect(200);
    CHECK(page.content_type == "text/html; charset=utf-8");
    CHECK(page.body.find("<main>") != std::string::npos);
    for (const char *outside : {"http://", "https://", "href=\"//", "src=\"//", "<style", " style=", " onclick="}) {
        INFO(outside);
        CHECK(page.body.find(outside) == std::string::npos);
    }
    CHECK(host.request("GET", "/votes/page.css").expect(200).content_type == "text/css; charset=utf-8");
    CHECK(host.request("GET", "/votes/page.js").expect(200).content_type == "text/javascript; charset=utf-8");
    host.close();
}
