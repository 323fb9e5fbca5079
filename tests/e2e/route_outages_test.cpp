// SPDX-License-Identifier: Apache-2.0
// Routes of plugins while a broker or a store is away.
#include "http_host.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const std::string kVote = R"({"vote":"cats"})";

std::string code_of(const HttpAnswer &answer) { return nlohmann::json::parse(answer.body).value("code", ""); }

/// Until the domain has said that it isn't ready so many times: it has tried again by then.
void wait_unready(HttpHost &host, std::size_t times) {
    REQUIRE(eventually([&] { return host.process().said("domain.not_ready").size() >= times; }, 60s));
    REQUIRE(eventually([&] { return host.ask("GET", "/ready").status == 503; }, 60s));
}

} // namespace

TEST_CASE("routes and their streams outlive an outage of the broker, and one of the store") {
    const Backends own{std::make_shared<RedisServer>(), std::make_shared<PostgresServer>()};
    Installation installation({"votes"}, own);
    HttpHost host(installation);
    host.wait_ready();
    RawClient stream(host.port());
    stream.send("GET /api/results/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    REQUIRE(stream.header().status == 200);
    const auto shows = [&](int total) {
        const std::string text = "\"total\":" + std::to_string(total);
        CHECK_THAT(stream.read_until(text, 60s), Contains(text));
    };
    shows(0);
    REQUIRE(host.ask("POST", "/api/vote", kVote).status == 202);
    shows(1);

    own.redis->stop();
    wait_unready(host, 1);
    for (int i = 0; i < 20; ++i) {
        CHECK(host.ask("GET", "/api/results").status == 200);
        const HttpAnswer refused = host.ask("POST", "/api/vote", kVote);
        CHECK(refused.status == 503);
        CHECK(code_of(refused) == "broker_unavailable");
    }
    own.redis->start();
    host.ask_until(200, "GET", "/ready");
    host.ask_until(202, "POST", "/api/vote", kVote);
    shows(2);

    own.postgresql->stop();
    CHECK(host.ask("POST", "/api/vote", kVote).status == 202); // which only the broker is needed for
    wait_unready(host, 2);
    const HttpAnswer unread = host.ask_until(503, "GET", "/api/results");
    CHECK(code_of(unread) == "store_unavailable");
    const HttpAnswer keyed = host.ask("POST", "/api/vote", kVote, {{"Idempotency-Key", "k"}});
    CHECK(keyed.status == 503);
    CHECK(code_of(keyed) == "store_unavailable");
    own.postgresql->start();
    host.ask_until(200, "GET", "/api/results");
    shows(3);
    CHECK(host.ask("POST", "/api/vote", kVote, {{"Idempotency-Key", "k"}}).status == 202);
    shows(4);
    CHECK(host.stop() == 0);
}

TEST_CASE("a host that starts without its store has the routes of its plugins, takes what needs only the broker, and reads when it can") {
    const Backends own{std::make_shared<RedisServer>(), std::make_shared<PostgresServer>()};
    Installation installation({"votes"}, own);
    own.postgresql->stop();
    HttpHost host(installation);
    REQUIRE(eventually([&] { return host.ask("GET", "/").status == 200; }, 60s)); // when the plugin has been found
    CHECK_THAT(host.ask("GET", "/").body, Contains(">cats</button>"));            // to vote with, without results
    const HttpAnswer unread = host.ask("GET", "/api/results");
    CHECK(unread.status == 503);
    CHECK(code_of(unread) == "store_unavailable");
    CHECK(host.ask("POST", "/api/vote", kVote).status == 202);
    own.postgresql->start();
    host.ask_until(200, "GET", "/api/results");
    CHECK(eventually([&] { return nlohmann::json::parse(host.ask("GET", "/api/results").body).value("total", 0) == 1; }, 60s));
    CHECK(host.stop() == 0);
}
