// SPDX-License-Identifier: Apache-2.0
// What faults cost everything else, measured: for scripts/chaos.sh and docs/benchmarks.md, and no test by itself.
#include "field.hpp"
#include "installation.hpp"
#include "publisher.hpp"
#include "steps.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <future>
#include <unistd.h>

using namespace weir::test;
using namespace std::chrono_literals;

namespace {

constexpr auto kPatience = 600s;

/// The server's clock when a domain has decided so many; the server looks by itself, so that looking costs the host nothing.
constexpr const char *kReached = R"(
CREATE OR REPLACE FUNCTION public.reached(domain text, wanted bigint) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE events bigint;
BEGIN
  FOR turn IN 1..200000 LOOP
    EXECUTE format('SELECT coalesce(sum(events), 0) FROM %I.event_ledger_counts', domain) INTO events;
    EXIT WHEN events >= wanted;
    PERFORM pg_sleep(0.003);
  END LOOP;
  IF events < wanted THEN RAISE EXCEPTION '% has decided % of %', domain, events, wanted; END IF;
  RETURN extract(epoch FROM clock_timestamp());
END $$)";

double cpu_seconds(pid_t process) {
    std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
    const std::string text{std::istreambuf_iterator<char>(stat), {}};
    unsigned long user = 0;
    unsigned long system = 0;
    std::sscanf(text.c_str() + text.rfind(')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct Case {
    const char *name;
    std::function<void(std::vector<ChaosMessage> &, const std::string &kind)> add; ///< puts faults among the steps of others
    bool waits = false;                                                            ///< its events are decided after those of others
};

void every_thousandth(std::vector<ChaosMessage> &messages, const std::function<ChaosMessage(int)> &made) {
    std::vector<ChaosMessage> all;
    all.reserve(messages.size() * 1001 / 1000 + 1);
    int number = 0;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (i % 1000 == 500) {
            all.push_back(made(number++));
        }
        all.push_back(std::move(messages[i]));
    }
    messages = std::move(all);
}

struct Measured {
    double chain = 0; ///< seconds from the first commit to the last of what isn't at fault
    double tally = 0;
    double cpu = 0; ///< of the host, from its start to then
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

} // namespace

TEST_CASE("What faults cost other keys and domains", "[.measure]") {
    const int count = knob("WEIR_TEST_COST_EVENTS", 100'000);
    const int rounds = knob("WEIR_TEST_COST_ROUNDS", 5);
    const int slow_ms = knob("WEIR_TEST_COST_SLOW_MS", 30'000);
    const auto failing = [](const char *more) {
        return [more](std::vector<ChaosMessage> &messages, const std::string &kind) {
            every_thousandth(messages, [&](int i) {
                return on_chain(event_text(id_of(kind + " failing", i), kind + " failing " + std::to_string(i), i, more));
            });
        };
    };
    const auto poison = [](int of_kind) {
        return [of_kind](std::vector<ChaosMessage> &messages, const std::string &kind) {
            every_thousandth(messages, [&](int i) { return poison_step(i, kind + " poison", of_kind); });
        };
    };
    std::vector<Case> cases = {
        {"nothing is wrong", [](auto &, const auto &) {}},
        {"1 in 1,000 always fails (3 retries)", failing(R"(,"retries":99)"), true},
        {"1 in 1,000 fails twice, then succeeds", failing(R"(,"retries":2)"), true},
        {"one handler takes long",
         [&](std::vector<ChaosMessage> &messages, const std::string &kind) {
             const std::string more = ",\"slow_ms\":" + std::to_string(slow_ms);
             messages.insert(messages.begin() + static_cast<std::ptrdiff_t>(messages.size() / 2),
                             on_chain(event_text(id_of(kind + " slow", 0), kind + " slow", 0, more)));
         },
         true},
        {"1 in 1,000 is no JSON", poison(0)},
        {"1 in 1,000 is refused by its handler", poison(1)},
        {"1 in 1,000 is refused by the store", poison(3)},
    };
    if (const int only = knob("WEIR_TEST_COST_ONLY", 0); only > 0) {
        cases = {cases.front(), cases.at(static_cast<std::size_t>(only))};
    }
    ChaosField field;
    field.set("engine.batch_max_events", "1000"); // as by default, and so what follows
    field.set("engine.retry_delays_ms", "1000,2000,3000");
    field.set("engine.lease_ttl_ms", "15000");
    field.postgres.query(kReached);
    StreamPublisher publisher(field.redis.socket());
    publisher.publish({on_chain(event_text(id_of("owner", 0), "owner", 0, R"(,"badge":"gold")"))});
    publisher.publish(counts("first", 1));
    std::vector<std::vector<Measured>> measured(cases.size());
    const auto when = [&](const char *domain, std::size_t wanted) {
        return std::stod(field.postgres.query("SELECT public.reached('" + std::string(domain) + "', " + std::to_string(wanted) + ")")
                             .at(0)
                             .at(0)
                             .value());
    };
    const auto end_host = [&] {
        field.host(0).signal(SIGTERM);
        const auto ended = field.host(0).wait(kPatience);
        REQUIRE(ended);
        REQUIRE(ended->exit_code == 0);
    };
    field.start(0);
    REQUIRE(eventually([&] { return field.decided("chain") == 1 && field.decided("tally") == 1 && field.is_up(0); }, kPatience));
    end_host();
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t turn = 0; turn < cases.size(); ++turn) {
            const std::size_t which = (turn + static_cast<std::size_t>(round)) % cases.size(); // no case is always behind the same other
            const std::string kind = std::to_string(round) + "." + std::to_string(which);
            std::vector<ChaosMessage> chain = steps(kind, count);
            cases[which].add(chain, kind);
            const std::size_t chain_before = field.decided("chain");
            const std::size_t tally_before = field.decided("tally");
            publisher.publish(chain);
            publisher.publish(counts(kind + " count", count / 2));
            field.postgres.query("CHECKPOINT");
            field.start(0);
            auto tally = std::async(std::launch::async, [&] {
                const double began = when("tally", tally_before + 1);
                return when("tally", tally_before + static_cast<std::size_t>(count / 2)) - began;
            });
            const double began = when("chain", chain_before + 1);
            const std::size_t wanted = cases[which].waits ? static_cast<std::size_t>(count) : chain.size();
            Measured one;
            one.chain = when("chain", chain_before + wanted) - began;
            one.tally = tally.get();
            one.cpu = cpu_seconds(field.host(0).pid());
            REQUIRE(
                eventually([&] { return field.decided("chain") == chain_before + chain.size() && field.left_in_redis() == 0; }, kPatience));
            end_host();
            measured[which].push_back(one);
            std::printf("round %d, %s: %.2f s, the other domain %.2f s, processor %.2f s\n", round + 1, cases[which].name, one.chain,
                        one.tally, one.cpu);
            std::fflush(stdout);
        }
    }
    std::printf(
        "%d events of 20 other keys, %d of another domain; medians of %d rounds, each relative to the first line's of the same round\n",
        count, count / 2, rounds);
    for (std::size_t which = 0; which < cases.size(); ++which) {
        std::vector<double> chain;
        std::vector<double> tally;
        std::vector<double> cpu;
        std::vector<double> more;
        for (std::size_t round = 0; round < measured[which].size(); ++round) {
            const Measured &one = measured[which][round];
            const Measured &quiet = measured[0][round];
            chain.push_back(one.chain / quiet.chain);
            tally.push_back(one.tally / quiet.tally);
            cpu.push_back(one.cpu / quiet.cpu);
            more.push_back(one.chain - quiet.chain);
        }
        std::printf("  %-40s other keys x %.3f (%+.2f s), other domain x %.3f, processor x %.3f\n", cases[which].name, median(chain),
                    median(more), median(tally), median(cpu));
    }
    std::printf("  the claim is x 1.05; a handler that takes long holds its batch up once, for engine.handler_budget_ms (1000), which is "
                "%.1f %% of "
                "the %.0f s that it takes\n",
                100'000.0 / slow_ms, slow_ms / 1000.0);
}
