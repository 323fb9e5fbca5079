// SPDX-License-Identifier: Apache-2.0
#include "database.hpp"
#include "installation.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

using namespace weir::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

const std::string kTopic = "probe.thing.v1";
constexpr int kSubjects = 40;
constexpr int kBurst = 20;

/// Publishes all the time: bursts of events that go round the subjects, each subject's numbers rising.
class Publisher {
public:
    explicit Publisher(Installation &installation) : thread_([this, &installation] { run(installation); }) {}
    ~Publisher() { stop(); }

    int stop() {
        stop_ = true;
        if (thread_.joinable()) {
            thread_.join();
        }
        return published_;
    }

private:
    void run(Installation &installation) {
        while (!stop_) {
            std::vector<Text> burst;
            for (int i = 0; i < kBurst; ++i, ++published_) {
                burst.push_back(
                    probe_event("thing.counted.v1", "subject " + std::to_string(published_ % kSubjects), published_ / kSubjects));
            }
            installation.publish(kTopic, burst);
            eventually([] { return false; }, 5ms);
        }
    }

    std::atomic<bool> stop_{false};
    std::atomic<int> published_{0};
    std::thread thread_;
};

/// Looks at the ledger all the time and keeps the longest pause between two looks that found it grown.
class PauseWatch {
public:
    explicit PauseWatch(const std::filesystem::path &database) : thread_([this, database] { run(database); }) {}
    ~PauseWatch() {
        stop_ = true;
        thread_.join();
    }
    /// The longest since the last call.
    std::chrono::milliseconds longest() { return std::chrono::milliseconds(longest_ms_.exchange(0)); }

private:
    void run(const std::filesystem::path &database) {
        std::int64_t last = 0;
        auto since = Clock::now();
        while (!stop_) {
            const std::int64_t now = number(database, "select sum(events) from event_ledger_counts");
            if (now != last) {
                const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since).count();
                longest_ms_ = std::max<std::int64_t>(longest_ms_, pause);
                last = now;
                since = Clock::now();
            }
            eventually([] { return false; }, 1ms);
        }
    }

    std::atomic<bool> stop_{false};
    std::atomic<std::int64_t> longest_ms_{0};
    std::thread thread_;
};

void overwrite(const std::filesystem::path &source, const std::filesystem::path &target) {
    std::ifstream in(source, std::ios::binary);
    std::ofstream out(target, std::ios::binary | std::ios::trunc);
    out << in.rdbuf();
    REQUIRE(out.flush());
}

} // namespace

TEST_CASE("a plugin replaced twenty times under load loses and doubles nothing, and its domain hardly pauses") {
    Installation installation({"probe"});
    const auto host = installation.start();
    Publisher publisher(installation);
    const auto database = installation.database("probe");
    REQUIRE(eventually([&] { return number(database, "select count(*) from seen") > 500; }));
    PauseWatch watch(database);
    eventually([] { return false; }, 1500ms); // what the machine's other work costs, without a swap
    const auto baseline = watch.longest();

    const int swaps = knob("WEIR_TEST_SWAPS", 20);
    const auto versions_seen = [&](const std::string &version) {
        return host->said("plugin.swapped", std::vector<std::string>{"\"version\":\"" + version + "\""}) ? 1 : 0;
    };
    for (int i = 0; i < swaps; ++i) {
        const std::string next = i % 2 == 0 ? "probe_2" : "probe";
        if (i / 2 % 2 == 0) {
            installation.place(next, "probe");
        } else {
            overwrite(Installation::built(next), installation.plugins() / "probe.so");
        }
        INFO("swap " << i);
        REQUIRE(eventually([&] { return host->said("plugin.swapped").size() == static_cast<std::size_t>(i) + 1; }));
    }
    CHECK(versions_seen("2.0.0") == 1);
    const auto longest = watch.longest();
    std::printf("%d swaps: longest pause between commits %lld ms (without swaps, on this machine now: %lld ms)\n", swaps,
                static_cast<long long>(longest.count()), static_cast<long long>(baseline.count()));
    // The pause without a swap is the machine's, not the swap's. Sanitizers make loading several times as slow.
    CHECK(longest < 1000ms * slowness() + 2 * baseline);

    const int published = publisher.stop();
    REQUIRE(eventually([&] { return number(database, "select count(*) from seen") == published; }, 60s));
    CHECK(number(database, "select sum(times) from subjects") == published);
    CHECK(number(database, "select sum(disorder) from subjects") == 0);
    CHECK(number(database, "select count(*) from event_ledger") == published);
    CHECK(number(database, "select count(*) from dead_letter_queue") == 0);
    const auto versions = tally(database, "select version, count(*) from seen group by version");
    CHECK(versions.size() == 2);
    CHECK(host->running());
}

TEST_CASE("a retry that waits is carried over to the next generation") {
    Installation installation({"probe"});
    installation.set("engine.retry_delays_ms", "500");
    installation.set("engine.max_retries", "2");
    const auto host = installation.start();
    installation.publish(kTopic, {probe_event("thing.retried.v1", "waiting", 0), probe_event("thing.counted.v1", "waiting", 1)});
    REQUIRE(eventually([&] { return !host->said("event.retry").empty(); }));
    installation.place("probe_2", "probe");
    const auto database = installation.database("probe");
    REQUIRE(eventually([&] { return number(database, "select count(*) from seen") == 1; }));
    CHECK(number(database, "select count(*) from dead_letter_queue where error_type = 'retries_exhausted' and retry_count = 2") == 1);
    CHECK(host->said("plugin.swapped").size() == 1);
    CHECK(query(database, "select version from seen")[0][0] == "2.0.0"); // held back behind the retry until then
}
