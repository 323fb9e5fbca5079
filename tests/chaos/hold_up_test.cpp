// SPDX-License-Identifier: Apache-2.0
#include "field.hpp"
#include "installation.hpp"
#include "publisher.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>

using namespace weir::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kKeys = 20;

std::string id_of(const std::string &kind, int number) {
    char text[40];
    std::snprintf(text, sizeof text, "%08zx-0000-4000-8000-%012x", std::hash<std::string>{}(kind)&0xffffffff,
                  static_cast<unsigned>(number));
    return text;
}

/// An event of the domain chain; one of tally, where @param type says so.
std::string event(const std::string &id, const std::string &key, int number, const std::string &more = "",
                  const std::string &type = "step.taken.v1") {
    return R"({"event_id":")" + id + R"(","event_type":")" + type + R"(","occurred_at":"2026-01-01T00:00:00Z","payload":{"key":")" + key +
           R"(","subject":")" + key + R"(","number":)" + std::to_string(number) + R"(,"amount":)" + std::to_string(number) + more + "}}";
}

ChaosMessage on_chain(const std::string &body) { return {"chaos.chain.v1.0", body}; }
ChaosMessage on_tally(const std::string &body) { return {"chaos.count.v1.0", body}; }

std::string key(int number) { return "key " + std::to_string(number % kKeys); }

std::vector<ChaosMessage> steps(const std::string &kind, int count) {
    std::vector<ChaosMessage> result;
    for (int i = 0; i < count; ++i) {
        result.push_back(on_chain(event(id_of(kind, i), key(i), i)));
    }
    return result;
}

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
constexpr auto kLong = 60s;

} // namespace

TEST_CASE("A handler that always fails holds up its key alone, and only until its retries are over") {
    ChaosField field;
    field.set("engine.retry_delays_ms", "1500,1500,1500");
    StreamPublisher publisher(field.redis.socket());
    publisher.publish({on_chain(event(id_of("failing", 0), "failing", 0, R"(,"retries":99)")),
                       on_chain(event(id_of("failing", 1), "failing", 1)),
                       on_chain(event(id_of("twice", 0), "twice", 0, R"(,"retries":2)")), on_chain(event(id_of("twice", 1), "twice", 1))});
    publisher.publish(steps("others", 400));
    publisher.publish({on_tally(event(id_of("tally", 0), "counter", 5, "", "amount.counted.v1"))});
    field.start(0);
    // Everything else is there before the first retry is due, let alone the last.
    REQUIRE(
        eventually([&] { return ledger_rows(field.postgres, "chain") == "400" && ledger_rows(field.postgres, "tally") == "1"; }, kLong));
    CHECK(times_of(field.postgres, "failing").empty());
    CHECK(times_of(field.postgres, "twice").empty());
    REQUIRE(eventually([&] { return ledger_rows(field.postgres, "chain") == "404"; }, kLong));
    CHECK(times_of(field.postgres, "failing") == "1"); // the one behind it
    CHECK(times_of(field.postgres, "twice") == "2");
    const auto letters = field.postgres.query("SELECT event_id, error_type, retry_count FROM chain.dead_letter_queue");
    CHECK(letters == std::vector<PostgresServer::Row>{{id_of("failing", 0), "retries_exhausted", "3"}});
    CHECK(field.postgres.query("SELECT hash FROM chain.chain WHERE key = 'twice'")[0][0] == std::to_string(1 * 31 + 2));
}

TEST_CASE("A handler that takes long holds up its key alone") {
    ChaosField field;
    const int takes_ms = knob("WEIR_TEST_CHAOS_SLOW_MS", 4000);
    field.set("engine.handler_budget_ms", "100");
    StreamPublisher publisher(field.redis.socket());
    publisher.publish({on_chain(event(id_of("slow", 0), "slow", 0, ",\"slow_ms\":" + std::to_string(takes_ms))),
                       on_chain(event(id_of("slow", 1), "slow", 1))});
    publisher.publish(steps("others", 400));
    publisher.publish({on_tally(event(id_of("tally", 0), "counter", 5, "", "amount.counted.v1"))});
    field.start(0);
    REQUIRE(
        eventually([&] { return ledger_rows(field.postgres, "chain") == "400" && ledger_rows(field.postgres, "tally") == "1"; }, kLong));
    CHECK(times_of(field.postgres, "slow").empty());
    publisher.publish(steps("more", 200)); // and while it runs, others go on
    REQUIRE(eventually([&] { return ledger_rows(field.postgres, "chain") == "602"; }, kLong + std::chrono::milliseconds(takes_ms)));
    CHECK(times_of(field.postgres, "slow") == "2");
    CHECK(field.postgres.query("SELECT hash FROM chain.chain WHERE key = 'slow'")[0][0] == std::to_string(1 * 31 + 2));
    CHECK(one(field.postgres, "SELECT count(*) FROM chain.dead_letter_queue") == "0");
}

TEST_CASE("One poison event in a thousand leaves everything else as quick, and as it would be without") {
    ChaosField field;
    const int count = knob("WEIR_TEST_CHAOS_POISON_EVENTS", 10'000);
    StreamPublisher publisher(field.redis.socket());
    const auto run = [&](const std::string &kind, bool with_poison) {
        std::vector<ChaosMessage> messages = steps(kind, count);
        int poison = 0;
        for (int i = 500; with_poison && i < count; i += 1000) {
            // In turn: no JSON, refused by the handler, refused by the host.
            const std::string body = event(id_of(kind + " poison", i), key(i), i, poison % 3 == 1 ? R"(,"reject":true)" : "",
                                           poison % 3 == 2 ? "step.taken.v8" : "step.taken.v1");
            messages.insert(messages.begin() + i, on_chain(poison % 3 == 0 ? body.substr(0, body.size() - 1) : body));
            ++poison;
        }
        publisher.publish(messages);
        const std::string before = ledger_rows(field.postgres, "chain");
        const std::string wanted = std::to_string((before.empty() ? 0 : std::stoi(before)) + count + poison);
        const auto began = Clock::now();
        field.start(0, "", {"--until-drained"});
        const auto ended = field.host(0).wait(kLong * slowness());
        REQUIRE(ended);
        REQUIRE(ended->exit_code == 0);
        CHECK(ledger_rows(field.postgres, "chain") == wanted);
        return std::pair(std::chrono::duration<double>(Clock::now() - began).count(), poison);
    };
    run("first", false); // makes the tables
    std::vector<double> clean;
    std::vector<double> poisoned;
    int poison = 0;
    for (int i = 0; i < knob("WEIR_TEST_CHAOS_POISON_ROUNDS", 2); ++i) {
        clean.push_back(run("clean " + std::to_string(i), false).first);
        const auto [seconds, times] = run("poisoned " + std::to_string(i), true);
        poisoned.push_back(seconds);
        poison += times;
    }
    const double best_clean = *std::min_element(clean.begin(), clean.end());
    const double best_poisoned = *std::min_element(poisoned.begin(), poisoned.end());
    std::printf("%d events: %.2f s; with one in 1,000 poisoned: %.2f s (%+.1f %%)\n", count, best_clean, best_poisoned,
                (best_poisoned / best_clean - 1) * 100);
    CHECK(one(field.postgres, "SELECT count(*) FROM chain.dead_letter_queue") == std::to_string(poison));
    CHECK(best_poisoned < 3 * best_clean + 2); // a machine that does other things, too
}

TEST_CASE("SIGTERM under full load ends a host within five seconds with exit code 0, and nothing is lost") {
    ChaosField field;
    StreamPublisher publisher(field.redis.socket());
    constexpr int kCount = 20'000;
    publisher.publish(steps("load", kCount));
    std::vector<ChaosMessage> counts;
    for (int i = 0; i < kCount; ++i) {
        counts.push_back(on_tally(event(id_of("count", i), "counter", 1, "", "amount.counted.v1")));
    }
    publisher.publish(counts);
    for (int i = 0; i < 3; ++i) {
        field.start(0);
        const std::size_t before = field.decided();
        REQUIRE(eventually([&] { return field.decided() > before + 1000 || field.decided() == 2 * kCount; }, kLong));
        const auto began = Clock::now();
        field.host(0).signal(SIGTERM);
        const auto ended = field.host(0).wait(5s * slowness());
        REQUIRE(ended);
        CHECK(ended->exit_code == 0);
        std::printf("SIGTERM to exit under load: %lld ms\n",
                    static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count()));
    }
    field.start(0, "", {"--until-drained"});
    const auto ended = field.host(0).wait(kLong * slowness());
    REQUIRE(ended);
    CHECK(ended->exit_code == 0);
    CHECK(one(field.postgres, "SELECT sum(times) FROM chain.chain") == std::to_string(kCount));
    CHECK(one(field.postgres, "SELECT amount FROM tally.counters") == std::to_string(kCount));
}
