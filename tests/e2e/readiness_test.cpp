// SPDX-License-Identifier: Apache-2.0
// What /ready says while a host's servers are away, or it doesn't get on.
#include "http_host.hpp"
#include "served_document.hpp"
#include "table_lock.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const std::string kTopic = "probe.thing.v1";

Backends own_servers() { return {std::make_shared<RedisServer>(), std::make_shared<PostgresServer>()}; }

/// Waits for a 503 and returns the reason of the domain.
std::string reason(const HttpHost &host, ServedDocument &document, const std::string &text) {
    HttpAnswer answer;
    const bool said = eventually(
        [&] {
            answer = host.ask("GET", "/ready");
            return answer.status == 503 && answer.body.find(text) != std::string::npos;
        },
        120s);
    INFO(answer.status << " " << answer.body);
    REQUIRE(said);
    CHECK(document.differs("GET", "/ready", answer) == "");
    CHECK(answer.header("Retry-After") == "1");
    const auto problem = nlohmann::json::parse(answer.body);
    CHECK(problem["type"] == "/problems/not-ready");
    CHECK_THAT(problem["detail"].get<std::string>(), Contains("probe: "));
    REQUIRE(problem["domains"].size() == 1);
    CHECK(problem["domains"][0]["domain"] == "probe");
    return problem["domains"][0]["reason"];
}

} // namespace

TEST_CASE("while the broker or the store is away, whether it refuses or hangs, a host isn't ready and says which, and then is again") {
    const Backends backends = own_servers();
    Installation installation({"probe"}, backends);
    HttpHost host(installation);
    host.ask_until(200, "GET", "/ready");
    ServedDocument document(host.ask("GET", "/openapi.json").body);

    backends.redis->kill();
    CHECK_THAT(reason(host, document, "redis://"), Contains("redis://"));
    backends.redis->start();
    host.ask_until(200, "GET", "/ready");

    backends.redis->pause();
    CHECK_THAT(reason(host, document, "redis://"), Contains("redis://"));
    CHECK(host.ask("GET", "/health").status == 200);
    backends.redis->resume();
    host.ask_until(200, "GET", "/ready");

    backends.postgresql->kill();
    CHECK_THAT(reason(host, document, "store"), Contains("store"));
    backends.postgresql->start();
    host.ask_until(200, "GET", "/ready");

    backends.postgresql->pause();
    CHECK_THAT(reason(host, document, "store"), Contains("store") && Contains("no answer for"));
    CHECK(host.ask("GET", "/health").status == 200);
    backends.postgresql->resume();
    host.ask_until(200, "GET", "/ready");
    CHECK(host.stop() == 0);
}

TEST_CASE("a host that commits nothing of what it has read isn't ready, though nothing more comes, and is again when it commits") {
    const Backends backends = own_servers();
    Installation installation({"probe"}, backends);
    installation.set("http.operations.stalled_after_ms", "1000");
    installation.set("store.lock_timeout_ms", "600000");
    installation.set("store.statement_timeout_ms", "600000");
    installation.publish(kTopic, {probe_event("thing.counted.v1", "subject", 1)});
    HttpHost host(installation);
    host.ask_until(200, "GET", "/ready");
    ServedDocument document(host.ask("GET", "/openapi.json").body);
    REQUIRE(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 1; }, 60s));

    TableLock lock(*backends.postgresql, installation.database_name(), "probe.seen");
    REQUIRE(eventually([&] { return lock.held(); }));
    installation.publish(kTopic, {probe_event("thing.counted.v1", "subject", 2), probe_event("thing.counted.v1", "subject", 3)});
    CHECK_THAT(reason(host, document, "it stands still"),
               Contains("0 messages are not read yet") && Contains("http.operations.stalled_after_ms"));
    lock.release();
    host.ask_until(200, "GET", "/ready");
    CHECK(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 3; }, 60s));
    CHECK(host.stop() == 0);
}

TEST_CASE("a host is ready while it has nothing to do, and while all that it has to do waits for its retry") {
    for (const Backends &backends : {on_servers(), Backends{}}) {
        INFO(backends.name());
        Installation installation({"probe"}, backends);
        installation.set("http.operations.stalled_after_ms", "1000");
        installation.set("engine.retry_delays_ms", "3600000");
        installation.publish(kTopic, {probe_event("thing.counted.v1", "other", 1)});
        HttpHost host(installation);
        host.wait_ready();
        REQUIRE(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 1; }, 60s));
        const auto stays_ready = [&] {
            const auto until = std::chrono::steady_clock::now() + 3s;
            do {
                const HttpAnswer answer = host.ask("GET", "/ready");
                INFO(answer.body);
                CHECK(answer.status == 200);
            } while (std::chrono::steady_clock::now() < until);
        };
        stays_ready();
        installation.publish(kTopic, {probe_event("thing.retried.v1", "subject", 1), probe_event("thing.counted.v1", "subject", 2)});
        REQUIRE(eventually([&] { return host.ask("GET", "/api/domains").body.find("\"held\":2") != std::string::npos; }, 60s));
        stays_ready();
        CHECK(host.stop() == 0);
    }
}

TEST_CASE("a host that is asked to stop isn't ready from then on, and says so while it drains") {
    Installation installation({"probe"});
    installation.set("engine.handler_budget_ms", "100");
    installation.set("engine.drain_timeout_ms", "600000");
    HttpHost host(installation);
    host.wait_ready();
    host.ask_until(200, "GET", "/ready");
    installation.publish(kTopic, {probe_event("thing.hung.v1", "subject", 1)});
    REQUIRE(eventually([&] { return !host.process().said("handler.overdue").empty(); }, 60s));
    host.process().signal(SIGTERM);
    CHECK(eventually(
        [&] {
            const HttpAnswer answer = host.ask("GET", "/ready");
            return answer.status == 503 && answer.body.find("the host stops") != std::string::npos;
        },
        60s));
    CHECK(host.ask("GET", "/health").status == 200);
    host.kill();
}

TEST_CASE("a host whose store another program keeps locked says so, and is ready again afterwards") {
    Installation installation({"probe"});
    installation.set("store.url", "sqlite://" + installation.store().string() + "?synchronous=normal&busy_timeout_ms=300");
    installation.publish(kTopic, {probe_event("thing.counted.v1", "subject", 1)});
    HttpHost host(installation);
    host.ask_until(200, "GET", "/ready");
    ServedDocument document(host.ask("GET", "/openapi.json").body);
    REQUIRE(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 1; }, 60s));
    {
        const WriteLock lock(installation.database("probe"));
        installation.publish(kTopic, {probe_event("thing.counted.v1", "subject", 2)});
        CHECK_THAT(reason(host, document, "probe"), Contains("locked"));
    }
    host.ask_until(200, "GET", "/ready");
    CHECK(eventually([&] { return number(installation.domain("probe"), "select count(*) from seen") == 2; }, 60s));
    CHECK(host.stop() == 0);
}
