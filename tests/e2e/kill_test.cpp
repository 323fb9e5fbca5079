// SPDX-License-Identifier: Apache-2.0
#include "sample.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include <csignal>
#include <cstdio>
#include <memory>
#include <random>
#include <vector>

using namespace weir::test;
using namespace std::chrono_literals;

namespace {

// Copies of the sample, each in its own order, shuffled together.
std::vector<Text> interleaved(unsigned copies, std::mt19937_64 &random) {
    std::vector<std::vector<Text>> streams;
    std::vector<std::size_t> next(copies, 0);
    std::vector<unsigned> order;
    for (unsigned copy = 0; copy < copies; ++copy) {
        streams.push_back(sample_copy(copy));
        order.insert(order.end(), streams.back().size(), copy);
    }
    std::shuffle(order.begin(), order.end(), random);
    std::vector<Text> result;
    for (const unsigned copy : order) {
        result.push_back(std::move(streams[copy][next[copy]++]));
    }
    return result;
}

std::int64_t decided(const Installation &installation, const char *schema) {
    return number(installation.database(schema), "select count(*) from event_ledger");
}

} // namespace

TEST_CASE("kill -9 at any moment loses nothing and doubles nothing") {
    std::mt19937_64 random(seed());
    const int kills = knob("WEIR_TEST_KILLS", 24);
    constexpr unsigned kCopies = 6;
    const std::vector<Text> stream = interleaved(kCopies, random);
    Installation installation({"linting", "spellcheck"});
    installation.set("engine.batch_max_events", "40");
    const std::size_t chunk = stream.size() / static_cast<std::size_t>(kills) + 1;
    std::size_t published = 0;
    int amid = 0;
    int while_starting = 0;
    for (int i = 0; i < kills; ++i) {
        const std::size_t count = std::min(chunk, stream.size() - published);
        installation.publish(kIdentityTopic, {stream.begin() + static_cast<std::ptrdiff_t>(published),
                                              stream.begin() + static_cast<std::ptrdiff_t>(published + count)});
        published += count;
        const auto host = installation.start();
        if (random() % 4 == 0) { // while it starts
            host->wait(std::chrono::milliseconds(random() % 200));
            ++while_starting;
        } else { // at some event of those that it has before it
            const char *watched = random() % 2 ? "linting" : "spell_checking";
            const auto target = std::max<std::int64_t>(decided(installation, watched), 0) +
                                static_cast<std::int64_t>(random() % std::max<std::size_t>(count / 2, 1));
            REQUIRE(eventually([&] { return decided(installation, watched) >= target || !host->running(); }));
        }
        REQUIRE(host->running());
        host->kill();
        amid += installation.backlog(kIdentityTopic, "lint_group") > 0 || installation.pending(kIdentityTopic, "lint_group") > 0;
    }
    installation.publish(kIdentityTopic, {stream.begin() + static_cast<std::ptrdiff_t>(published), stream.end()});
    std::printf("%d kills, %d of them while starting; after %d of them work was left\n", kills, while_starting, amid);
    CHECK(amid * 2 > kills);
    installation.drain();
    check_domains(installation, expectation_of(kCopies));
    CHECK(installation.backlog(kIdentityTopic, "lint_group") == 0);
    CHECK(installation.pending(kIdentityTopic, "lint_group") == 0);
}

TEST_CASE("kill -9 at each named point of an event's way loses nothing and doubles nothing") {
    std::mt19937_64 random(seed());
    for (const Backends &backends : {Backends{}, on_servers()}) {
        INFO(backends.name());
        Installation installation({"linting", "spellcheck"}, backends);
        installation.set("engine.batch_max_events", "20");
        installation.set("engine.lease_ttl_ms", "1000"); // after which the next host takes over
        installation.publish(kIdentityTopic, sample());
        for (const std::string point : {"read", "ledger", "handler", "flush", "commit", "ack", "acked"}) {
            for (const std::uint64_t passes : {std::uint64_t{1}, 2 + random() % 9}) {
                INFO(point << ":" << passes);
                installation.set("test.kill_at", point + ":" + std::to_string(passes));
                const auto ended = installation.start()->wait();
                REQUIRE(ended);
                CHECK(ended->signal == SIGKILL);
            }
        }
        installation.set("test.kill_at", "");
        CHECK(installation.backlog(kIdentityTopic, "lint_group") > 0);
        installation.drain();
        check_domains(installation, expectation());
    }
}

TEST_CASE("killed after the commit and before the acknowledgement, the host takes every event for a duplicate") {
    Installation installation({"linting"});
    const auto database = installation.database("linting");
    const auto broker = installation.root() / "broker.db";
    constexpr std::int64_t kFirst = 200;
    constexpr std::int64_t kSecond = 500;
    installation.publish(kIdentityTopic, {sample().begin(), sample().begin() + kFirst});
    const auto host = installation.start();
    REQUIRE(eventually([&] {
        return installation.ready("linting") && installation.backlog(kIdentityTopic, "lint_group") == 0 &&
               installation.pending(kIdentityTopic, "lint_group") == 0;
    }));
    const std::int64_t before = decided(installation, "linting");
    {
        auto store_lock = std::make_unique<WriteLock>(database); // it can read, and not commit
        installation.publish(kIdentityTopic, {sample().begin() + kFirst, sample().begin() + kFirst + kSecond});
        REQUIRE(eventually([&] { return installation.pending(kIdentityTopic, "lint_group") == kSecond; }));
        CHECK(decided(installation, "linting") == before);
        const WriteLock broker_lock(broker); // it can commit, and not acknowledge
        store_lock.reset();
        REQUIRE(eventually([&] { return decided(installation, "linting") > before; }));
        REQUIRE(host->running());
        host->kill();
    }
    const std::int64_t committed = decided(installation, "linting") - before;
    CHECK(installation.pending(kIdentityTopic, "lint_group") == kSecond);
    const auto report = installation.drain();
    CHECK(report.at("linting").counts.messages == kSecond);
    CHECK(report.at("linting").counts.duplicates >= committed);
    installation.publish(kIdentityTopic, {sample().begin() + kFirst + kSecond, sample().end()});
    installation.drain();
    check_database(database, expectation(), "user_prefs");
}

TEST_CASE("a store that another program keeps locked holds a domain up and skips nothing") {
    Installation installation({"linting", "spellcheck"});
    const auto host = installation.start();
    installation.publish(kIdentityTopic, {sample().begin(), sample().begin() + 100});
    REQUIRE(eventually([&] { return installation.ready("linting") && decided(installation, "linting") > 0; }));
    {
        const WriteLock lock(installation.database("linting"));
        installation.publish(kIdentityTopic, {sample().begin() + 100, sample().end()});
        REQUIRE(eventually([&] { return decided(installation, "spell_checking") > 2000; })); // the others go on
        CHECK(decided(installation, "linting") <= 100);
    }
    REQUIRE(eventually([&] {
        return installation.backlog(kIdentityTopic, "lint_group") == 0 && installation.pending(kIdentityTopic, "lint_group") == 0;
    }));
    host->signal(SIGTERM);
    REQUIRE(host->wait());
    CHECK(host->wait()->exit_code == 0);
    installation.drain();
    check_domains(installation, expectation());
}

TEST_CASE("SIGTERM under load ends the batch, prints the counts, exits 0 within five seconds, and the next run goes on") {
    std::mt19937_64 random(seed());
    constexpr unsigned kCopies = 3;
    Installation installation({"linting", "spellcheck"});
    installation.set("engine.batch_max_events", "20");
    installation.publish(kIdentityTopic, interleaved(kCopies, random));
    std::int64_t counted = 0;
    int stops = 0;
    std::vector<std::chrono::milliseconds> times; // the middle one counts: the machine may stand still once
    for (int i = 0; i < 5; ++i) {
        const auto host = installation.start({"--json"});
        const std::int64_t before = std::max<std::int64_t>(decided(installation, "linting"), 0);
        const auto target = before + static_cast<std::int64_t>(random() % 1000);
        REQUIRE(eventually([&] { return decided(installation, "linting") > target || installation.ready("linting"); }));
        const auto begin = std::chrono::steady_clock::now();
        host->signal(SIGTERM);
        const auto ended = host->wait();
        REQUIRE(ended);
        CHECK(ended->exit_code == 0);
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
        std::printf("SIGTERM to exit: %lld ms\n", static_cast<long long>(took.count()));
        times.push_back(took);
        const auto report = parse_report(host->output());
        REQUIRE(report.size() == 2);
        const DomainCounts &counts = report.at("linting").counts;
        CHECK(counts.messages == counts.applied + counts.duplicates + counts.ignored + counts.dead_letters);
        CHECK(decided(installation, "linting") - before == counts.messages - counts.duplicates);
        counted += counts.messages;
        ++stops;
    }
    CHECK(stops == 5);
    std::sort(times.begin(), times.end());
    CHECK(times[times.size() / 2] < 5s * slowness());
    const auto rest = installation.drain();
    const Expectation expected = expectation_of(kCopies);
    CHECK(counted + rest.at("linting").counts.messages == expected.messages); // what was acknowledged never comes again
    check_domains(installation, expected);
}
