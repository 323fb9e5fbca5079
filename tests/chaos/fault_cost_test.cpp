// SPDX-License-Identifier: Apache-2.0
// What faults cost everything else, measured: for scripts/chaos.sh and docs/benchmarks.md, and no test by itself.
#include "field.hpp"
#include "installation.hpp"
#include "publisher.hpp"
#include "steps.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <unistd.h>

using namespace weir::test;
using namespace std::chrono_literals;

namespace {

constexpr auto kPatience = 600s;

/// The server's clock when a domain has decided so many and, where that is asked for, other keys' events have been applied so often; the
/// server looks by itself, so that looking costs the host nothing. Each look is a transaction of its own: a snapshot that stood for the
/// whole run would keep every version of the rows that each batch changes, and each change would be dearer than the one before it.
constexpr const char *kReached = R"(
CREATE OR REPLACE PROCEDURE public.reached(domain text, wanted bigint, others bigint, INOUT at double precision) LANGUAGE plpgsql AS $$
DECLARE events bigint := 0; applied bigint := 0;
BEGIN
  FOR turn IN 1..200000 LOOP
    EXECUTE format('SELECT coalesce(sum(events), 0) FROM %I.event_ledger_counts', domain) INTO events;
    EXIT WHEN events >= wanted;
    COMMIT;
    PERFORM pg_sleep(0.01);
  END LOOP;
  FOR turn IN 1..200000 LOOP -- those at fault may be among the first `wanted`
    EXIT WHEN others = 0;
    EXECUTE 'SELECT coalesce(sum(times), 0) FROM chain.chain WHERE key LIKE ''key %''' INTO applied;
    EXIT WHEN applied >= others;
    COMMIT;
    PERFORM pg_sleep(0.01);
  END LOOP;
  IF events < wanted OR applied < others THEN RAISE EXCEPTION '% has decided % of %', domain, events, wanted; END IF;
  at := extract(epoch FROM clock_timestamp());
END $$)";

struct Processor {
    double seconds = 0;
    pid_t parent = 0;
};

/// What a process has taken, with those of its children that are gone; nothing where it is gone itself.
std::optional<Processor> processor_of(const std::string &process) {
    std::ifstream stat("/proc/" + process + "/stat");
    const std::string text{std::istreambuf_iterator<char>(stat), {}};
    const std::size_t name_end = text.rfind(')');
    int parent = 0;
    unsigned long ticks[4] = {};
    if (name_end == std::string::npos ||
        std::sscanf(text.c_str() + name_end + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &parent, &ticks[0],
                    &ticks[1], &ticks[2], &ticks[3]) != 5) {
        return std::nullopt;
    }
    return Processor{static_cast<double>(ticks[0] + ticks[1] + ticks[2] + ticks[3]) / static_cast<double>(::sysconf(_SC_CLK_TCK)), parent};
}

/// The same with all its children.
double processor_seconds(pid_t process) {
    double seconds = 0;
    for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (std::isdigit(static_cast<unsigned char>(name.front())) != 0) {
            const auto one = processor_of(name);
            seconds += one && (one->parent == process || name == std::to_string(process)) ? one->seconds : 0;
        }
    }
    return seconds;
}

struct Case {
    const char *name;
    std::function<void(std::vector<ChaosMessage> &)> add; ///< puts faults among the steps of others
    bool is_entangled = false;                            ///< the domain has a unique index, and with it one shard
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
    double chain = 0; ///< seconds from the first commit to the one after which all events of other keys are applied
    double tally = 0; ///< and of the other domain
    double cpu = 0;   ///< of the host, from its start to then
    double all = 0;   ///< the same with both servers
};

/// "x 1.020 [0.990 ... 1.050]": the median, the lowest and the highest.
std::string spread(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    char text[80];
    std::snprintf(text, sizeof text, "x %.3f [%.3f ... %.3f]", values[values.size() / 2], values.front(), values.back());
    return text;
}

/// Servers on which one run follows the other, each with nothing stored and nothing in the broker.
class CostField {
public:
    explicit CostField(int count) : count_(count) {
        field_.leave_out_proxies();
        field_.set("engine.batch_max_events", "800"); // as by default, and so what follows
        field_.set("engine.lease_ttl_ms", "15000");
        field_.set("engine.retry_delays_ms", "200,400,600"); // short, so that retries are among what is measured
        field_.postgres.query(kReached);
    }

    Measured run(const Case &what) {
        field_.redis.command({"FLUSHALL"});
        for (const char *domain : ChaosField::kDomains) {
            field_.postgres.query("SET client_min_messages = warning; DROP SCHEMA IF EXISTS " + std::string(domain) + " CASCADE");
        }
        field_.entangle_chain(what.is_entangled);
        StreamPublisher publisher(field_.redis.socket());
        publisher.publish({on_chain(event_text(id_of("owner", 0), "owner", 0, R"(,"badge":"gold")"))});
        publisher.publish(counts("first", 1));
        field_.start(0);
        REQUIRE(eventually([&] { return field_.decided("chain") == 1 && field_.decided("tally") == 1 && field_.is_up(0); }, kPatience));
        end_host();
        std::vector<ChaosMessage> chain = steps("other", count_);
        what.add(chain);
        publisher.publish(chain);
        publisher.publish(counts("count", count_ / 2));
        field_.postgres.query("CHECKPOINT");
        Measured one;
        const double before = servers();
        field_.start(0);
        auto tally = std::async(std::launch::async, [&] {
            const double began = when("tally", 2, 0);
            return when("tally", 1 + count_ / 2, 0) - began;
        });
        const double began = when("chain", 2, 0);
        one.chain = when("chain", 1 + count_, count_) - began;
        one.tally = tally.get();
        one.cpu = processor_seconds(field_.host(0).pid()); // before anybody asks again and again whether what waits is done
        one.all = one.cpu + servers() - before;
        REQUIRE(eventually([&] { return field_.decided("chain") == 1 + chain.size() && field_.left_in_redis() == 0; }, kPatience));
        end_host();
        std::printf("%s: %.2f s, the other domain %.2f s, processor %.2f s, with both servers %.2f s\n", what.name, one.chain, one.tally,
                    one.cpu, one.all);
        std::fflush(stdout);
        return one;
    }

private:
    double when(const char *domain, int wanted, int others) const {
        const auto rows = field_.postgres.query("CALL public.reached('" + std::string(domain) + "', " + std::to_string(wanted) + ", " +
                                                std::to_string(others) + ", NULL)");
        return std::stod(rows.at(0).at(0).value());
    }
    double servers() const {
        std::string redis = field_.redis.command({"INFO", "server"});
        redis.erase(0, redis.find("process_id:") + std::strlen("process_id:"));
        std::ifstream postmaster(field_.postgres.query("SHOW data_directory").at(0).at(0).value() + "/postmaster.pid");
        pid_t postgres = 0;
        postmaster >> postgres;
        return processor_seconds(std::stoi(redis)) + processor_seconds(postgres);
    }
    void end_host() {
        field_.host(0).signal(SIGTERM);
        const auto ended = field_.host(0).wait(kPatience);
        REQUIRE(ended);
        REQUIRE(ended->exit_code == 0);
    }

    int count_;
    ChaosField field_;
};

} // namespace

TEST_CASE("What faults cost other keys and domains", "[.measure]") {
    const int count = knob("WEIR_TEST_COST_EVENTS", 200'000);
    const int rounds = knob("WEIR_TEST_COST_ROUNDS", 5);
    const int slow_ms = knob("WEIR_TEST_COST_SLOW_MS", 30'000);
    const auto failing = [](const char *more) {
        return [more](std::vector<ChaosMessage> &messages) {
            every_thousandth(messages,
                             [&](int i) { return on_chain(event_text(id_of("failing", i), "failing " + std::to_string(i), i, more)); });
        };
    };
    const auto poison = [](int of_kind) {
        return [of_kind](std::vector<ChaosMessage> &messages) {
            every_thousandth(messages, [&](int i) { return poison_step(i, "poison", of_kind); });
        };
    };
    const auto quiet = [](bool is_entangled) {
        return Case{is_entangled ? "nothing is wrong (unique index)" : "nothing is wrong", [](auto &) {}, is_entangled};
    };
    std::vector<Case> cases = {
        {"1 in 1,000 always fails (3 retries)", failing(R"(,"retries":99)")},
        {"1 in 1,000 fails twice, then succeeds", failing(R"(,"retries":2)")},
        {"one handler takes long",
         [&](std::vector<ChaosMessage> &messages) {
             messages.insert(messages.begin() + static_cast<std::ptrdiff_t>(messages.size() / 2),
                             on_chain(event_text(id_of("slow", 0), "slow", 0, ",\"slow_ms\":" + std::to_string(slow_ms))));
         }},
        {"1 in 1,000 is no JSON", poison(0)},
        {"1 in 1,000 is refused by its handler", poison(1)},
        {"1 in 1,000 is refused by the store", poison(3)},
        {"1 in 1,000 is refused by a unique index", poison(kTakenBadge), true},
        {"nothing is wrong either", [](auto &) {}}, // what the machine makes of two equal runs
    };
    if (const int only = knob("WEIR_TEST_COST_ONLY", 0); only > 0) {
        cases = {cases.at(static_cast<std::size_t>(only - 1))};
    }
    CostField field(count);
    field.run(quiet(false)); // the first one is never like those behind it
    struct Ratios {
        std::vector<double> chain;
        std::vector<double> tally;
        std::vector<double> cpu;
        std::vector<double> all;
    };
    std::vector<Ratios> measured(cases.size());
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t which = 0; which < cases.size(); ++which) {
            // Next to each other, and neither always the second: the machine may be slower by and by.
            const bool faults_first = (round + static_cast<int>(which)) % 2 == 1;
            Measured with;
            if (faults_first) {
                with = field.run(cases[which]);
            }
            const Measured without = field.run(quiet(cases[which].is_entangled));
            if (!faults_first) {
                with = field.run(cases[which]);
            }
            measured[which].chain.push_back(with.chain / without.chain);
            measured[which].tally.push_back(with.tally / without.tally);
            measured[which].cpu.push_back(with.cpu / without.cpu);
            measured[which].all.push_back(with.all / without.all);
        }
    }
    std::printf(
        "%d events of 20 other keys, %d of another domain; medians [lowest ... highest] of %d rounds, each relative to a run without "
        "faults right before or behind it\n",
        count, count / 2, rounds);
    for (std::size_t which = 0; which < cases.size(); ++which) {
        std::printf("  %-38s other keys %s, other domain %s, processor %s, with both servers %s\n", cases[which].name,
                    spread(measured[which].chain).c_str(), spread(measured[which].tally).c_str(), spread(measured[which].cpu).c_str(),
                    spread(measured[which].all).c_str());
    }
    std::printf("  the claim is x 1.05; a handler that takes long holds its batch up once, for engine.handler_budget_ms (1000), which is "
                "%.1f %% of the %.0f s that it takes\n",
                100'000.0 / slow_ms, slow_ms / 1000.0);
}
