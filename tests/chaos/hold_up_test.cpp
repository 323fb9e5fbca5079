// SPDX-License-Identifier: Apache-2.0
#include "field.hpp"
#include "installation.hpp"
#include "overlap.hpp"
#include "publisher.hpp"
#include "steps.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <vector>

using namespace weir::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

std::string one(const PostgresServer &postgres, const std::string &sql) {
    try {
        return postgres.query(sql).at(0).at(0).value_or("");
    } catch (const std::exception &) {
        return "";
    }
}
std::string ledger_rows(const PostgresServer &postgres, const std::string &schema) {
    return one(postgres, "SELECT count(*) FROM " + schema + ".event_ledger");
}
std::string times_of(const PostgresServer &postgres, const std::string &chain_key) {
    return one(postgres, "SELECT times FROM chain.chain WHERE key = '" + chain_key + "'");
}
constexpr auto kPatience = 180s; // for what comes as soon as the machine can

} // namespace

TEST_CASE("Handlers that fail hold up their keys alone: all others are done while not one retry is due") {
    ChaosField field;
    field.set("engine.retry_delays_ms", "3600000");
    StreamPublisher publisher(field.redis.socket());
    publisher.publish({on_chain(event_text(id_of("failing", 0), "failing", 0, R"(,"retries":99)")),
                       on_chain(event_text(id_of("failing", 1), "failing", 1)),
                       on_chain(event_text(id_of("twice", 0), "twice", 0, R"(,"retries":2)")),
                       on_chain(event_text(id_of("twice", 1), "twice", 1))});
    publisher.publish(steps("others", 400));
    publisher.publish(counts("tally", 100));
    field.start(0);
    REQUIRE(eventually([&] { return ledger_rows(field.postgres, "chain") == "400" && ledger_rows(field.postgres, "tally") == "100"; },
                       kPatience));
    publisher.publish(steps("more", 400)); // and while they wait, others go on
    REQUIRE(eventually([&] { return ledger_rows(field.postgres, "chain") == "800"; }, kPatience));
    CHECK(times_of(field.postgres, "failing").empty());
    CHECK(times_of(field.postgres, "twice").empty());
    CHECK(field.host(0).running());
}

TEST_CASE("A handler that always fails ends as a dead letter, one that fails twice succeeds, and what is behind them follows in order") {
    ChaosField field;
    StreamPublisher publisher(field.redis.socket());
    publisher.publish({on_chain(event_text(id_of("failing", 0), "failing", 0, R"(,"retries":99)")),
                       on_chain(event_text(id_of("failing", 1), "failing", 1)),
                       on_chain(event_text(id_of("twice", 0), "twice", 0, R"(,"retries":2)")),
                       on_chain(event_text(id_of("twice", 1), "twice", 1))});
    publisher.publish(steps("others", 400));
    field.start(0);
    REQUIRE(eventually([&] { return ledger_rows(field.postgres, "chain") == "404"; }, kPatience));
    CHECK(times_of(field.postgres, "failing") == "1"); // the one behind it
    CHECK(times_of(field.postgres, "twice") == "2");
    const auto letters = field.postgres.query("SELECT event_id, error_type, retry_count FROM chain.dead_letter_queue");
    CHECK(letters == std::vector<PostgresServer::Row>{{id_of("failing", 0), "retries_exhausted", "3"}});
    CHECK(field.postgres.query("SELECT hash FROM chain.chain WHERE key = 'twice'")[0][0] == std::to_string(1 * 31 + 2));
}

TEST_CASE("A handler that takes long holds up its key alone: all others are done while it still runs") {
    ChaosField field;
    const TemporaryDirectory directory;
    const auto go = directory / "go";
    field.set("engine.handler_budget_ms", "100");
    StreamPublisher publisher(field.redis.socket());
    publisher.publish({on_chain(event_text(id_of("slow", 0), "slow", 0, ",\"until\":\"" + go.string() + "\"")),
                       on_chain(event_text(id_of("slow", 1), "slow", 1))});
    publisher.publish(steps("others", 400));
    publisher.publish(counts("tally", 100));
    field.start(0);
    REQUIRE(eventually([&] { return ledger_rows(field.postgres, "chain") == "400" && ledger_rows(field.postgres, "tally") == "100"; },
                       kPatience));
    publisher.publish(steps("more", 200)); // and while it runs, others go on
    REQUIRE(eventually([&] { return ledger_rows(field.postgres, "chain") == "600"; }, kPatience));
    CHECK(times_of(field.postgres, "slow").empty());
    write_file(go, "");
    REQUIRE(eventually([&] { return ledger_rows(field.postgres, "chain") == "602"; }, kPatience));
    CHECK(times_of(field.postgres, "slow") == "2");
    CHECK(field.postgres.query("SELECT hash FROM chain.chain WHERE key = 'slow'")[0][0] == std::to_string(1 * 31 + 2));
    CHECK(one(field.postgres, "SELECT count(*) FROM chain.dead_letter_queue") == "0");
}

TEST_CASE("A domain that is busy alone has batches side by side, but not where its keys depend on each other") {
    const bool is_entangled = GENERATE(false, true);
    CAPTURE(is_entangled);
    ChaosField field;
    field.entangle_chain(is_entangled);
    watch_batches(field.postgres);
    StreamPublisher publisher(field.redis.socket());
    constexpr int kCount = 10'000;
    publisher.publish(steps("load", kCount));
    field.start(0, "", {"--until-drained"});
    const auto ended = field.host(0).wait(kPatience);
    REQUIRE(ended);
    CHECK(ended->exit_code == 0);
    CHECK(one(field.postgres, "SELECT sum(times) FROM chain.chain") == std::to_string(kCount));
    const Overlap overlap = overlap_by_domain(field.postgres).at("chain");
    std::printf("%zu batches, %zu of them beside another\n", overlap.batches, overlap.side_by_side);
    CHECK((overlap.side_by_side > 0) == !is_entangled);
}

TEST_CASE("One poison event in a thousand leaves everything else as it would be without") {
    const bool is_entangled = GENERATE(false, true); // where a batch is refused differently, and there is one shard
    CAPTURE(is_entangled);
    ChaosField field;
    field.entangle_chain(is_entangled);
    const int kinds = is_entangled ? kPoisonKinds + 1 : kPoisonKinds;
    constexpr int kCount = 5'000;
    StreamPublisher publisher(field.redis.socket());
    std::vector<ChaosMessage> messages{on_chain(event_text(id_of("owner", 0), "owner", 0, R"(,"badge":"gold")"))};
    int poison = 0;
    for (const ChaosMessage &message : steps("clean", kCount)) {
        if (messages.size() % 1000 == 500) {
            messages.push_back(poison_step(poison, "poison", poison % kinds));
            ++poison;
        }
        messages.push_back(message);
    }
    REQUIRE(poison >= kinds);
    publisher.publish(messages);
    field.set("engine.batch_max_events", "1000");
    field.start(0, "", {"--until-drained"});
    const auto ended = field.host(0).wait(kPatience);
    REQUIRE(ended);
    CHECK(ended->exit_code == 0);
    CHECK(ledger_rows(field.postgres, "chain") == std::to_string(messages.size()));
    CHECK(one(field.postgres, "SELECT count(*) FROM chain.dead_letter_queue") == std::to_string(poison));
    const auto sums = field.postgres.query("SELECT count(*), sum(times), count(DISTINCT times) FROM chain.chain WHERE key LIKE 'key %'");
    CHECK(sums == std::vector<PostgresServer::Row>{{"20", std::to_string(kCount), "1"}});
}

TEST_CASE("SIGTERM under full load ends a host within five seconds with exit code 0, and nothing is lost") {
    ChaosField field;
    StreamPublisher publisher(field.redis.socket());
    constexpr int kCount = 20'000;
    publisher.publish(steps("load", kCount));
    publisher.publish(counts("count", kCount));
    std::vector<Clock::duration> times; // the middle one counts: the machine may stand still once
    for (int i = 0; i < 3; ++i) {
        field.start(0);
        const std::size_t before = field.decided();
        REQUIRE(eventually([&] { return field.decided() > before + 1000 || field.decided() == 2 * kCount; }, kPatience));
        const auto began = Clock::now();
        field.host(0).signal(SIGTERM);
        const auto ended = field.host(0).wait(kPatience);
        REQUIRE(ended);
        CHECK(ended->exit_code == 0);
        times.push_back(Clock::now() - began);
        std::printf("SIGTERM to exit under load: %lld ms\n",
                    static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count()));
    }
    std::sort(times.begin(), times.end());
    CHECK(times[times.size() / 2] < 5s * slowness());
    field.start(0, "", {"--until-drained"});
    const auto ended = field.host(0).wait(kPatience);
    REQUIRE(ended);
    CHECK(ended->exit_code == 0);
    CHECK(one(field.postgres, "SELECT sum(times) FROM chain.chain") == std::to_string(kCount));
    CHECK(one(field.postgres, "SELECT amount FROM tally.counters") == std::to_string(kCount));
}

TEST_CASE("SIGTERM ends a host within its drain timeout and a margin while PostgreSQL stands still, and nothing is lost") {
    ChaosField field;
    field.set("engine.drain_timeout_ms", "1000");
    field.set("http.stop_timeout_ms", "1000");
    field.set_store_patience("connect_timeout=120&reply_timeout_ms=120000");
    constexpr auto kAtMost = 60s; // 7 s where the machine isn't busy; the server's silence alone would be 120 s
    StreamPublisher publisher(field.redis.socket());
    constexpr int kCount = 20'000;
    publisher.publish(steps("load", kCount));
    publisher.publish(counts("count", kCount));
    const auto stop = [&](const char *what) {
        const auto began = Clock::now();
        field.host(0).signal(SIGTERM);
        const auto ended = field.host(0).wait(120s);
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
        std::printf("SIGTERM to exit, %s: %lld ms\n", what, static_cast<long long>(took.count()));
        REQUIRE(ended);
        CHECK(took < kAtMost);
        field.store_proxy(0).resume();
        return ended->exit_code;
    };
    for (const Way way : {Way::to_server, Way::to_client}) { // a batch that isn't begun, and one whose commit is in doubt
        field.start(0);
        const std::size_t before = field.decided();
        REQUIRE(eventually([&] { return field.decided() > before + 1000; }, kPatience));
        field.store_proxy(0).stall(way);
        const int code = stop("under load");
        CHECK((code == 0 || code == 5)); // 5 where something was just about to connect, which can't be ended
        CHECK(field.host(0).said("host.stop_overdue").size() == 1);
        CHECK(field.host(0).said("host.stop_cut_short").size() == (code == 0 ? 0 : 1));
    }
    field.store_proxy(0).stall();
    field.start(0);
    REQUIRE(eventually([&] { return field.is_up(0) && field.store_proxy(0).connections() > 0; }, kPatience));
    CHECK(stop("while it connects") == 5);
    CHECK(field.host(0).said("host.stop_cut_short").size() == 1);
    field.start(0, "", {"--until-drained"});
    const auto ended = field.host(0).wait(kPatience);
    REQUIRE(ended);
    CHECK(ended->exit_code == 0);
    CHECK(one(field.postgres, "SELECT sum(times) FROM chain.chain") == std::to_string(kCount));
    CHECK(one(field.postgres, "SELECT amount FROM tally.counters") == std::to_string(kCount));
    CHECK(one(field.postgres, "SELECT count(*) FROM chain.dead_letter_queue") == "0");
}
