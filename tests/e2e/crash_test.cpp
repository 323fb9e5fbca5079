// SPDX-License-Identifier: Apache-2.0
#include "database.hpp"
#include "installation.hpp"
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdio>

using namespace weir::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

const std::string kTopic = "probe.thing.v1";

/// Hosts that die are started again, as a service manager does. @return how many died
int run_until_one_survives(Installation &installation, const std::string &culprit, const std::string &handler) {
    for (int deaths = 0; deaths < 10; ++deaths) {
        const auto host = installation.start({"--until-drained"});
        const auto ended = host->wait();
        REQUIRE(ended);
        CHECK(host->said("handler.crashed").size() == (deaths == 0 ? 0u : 1u));
        if (deaths > 0) {
            CHECK(host->said("handler.crashed", {"probe 1.0.0, generation 1", handler, culprit, "\"crashes\":" + std::to_string(deaths)}));
        }
        if (ended->exit_code == 0) {
            return deaths;
        }
    }
    return -1;
}

} // namespace

TEST_CASE("an event whose handler kills the host is a dead letter after three deaths, and every other event is applied") {
    for (const std::string kind : {"crashed", "aborted"}) {
        INFO(kind);
        Installation installation({"probe"});
        installation.set("engine.batch_max_events", "7");
        std::vector<Text> events;
        for (int i = 0; i < 60; ++i) {
            events.push_back(probe_event("thing.counted.v1", "subject " + std::to_string(i % 5), i));
        }
        const std::string type = "thing." + kind + ".v1";
        events.insert(events.begin() + 31, probe_event(type, "subject 2", 31));
        installation.publish(kTopic, events);
        const std::string culprit = probe_id(type, "subject 2", 31);
        const std::string handler = "handle_probe_thing_" + kind;
        CHECK(run_until_one_survives(installation, culprit, handler) == 3);
        const auto database = installation.database("probe");
        CHECK(number(database, "select sum(times) from subjects") == 60);
        CHECK(number(database, "select sum(disorder) from subjects") == 0);
        const auto letters = query(database, "select event_id, event_type, error_type, error_message from dead_letter_queue");
        REQUIRE(letters.size() == 1);
        CHECK(letters[0][0] == culprit);
        CHECK(letters[0][1] == type);
        INFO(*letters[0][2] << ": " << *letters[0][3]);
        CHECK(letters[0][3]->find("probe 1.0.0, generation 1") != std::string::npos);
        CHECK(letters[0][3]->find(handler) != std::string::npos);
        CHECK(number(database, "select count(*) from event_ledger") == 61);
    }
}

TEST_CASE("a handler that never returns is named, its domain is not ready, and the others go on") {
    Installation installation({"probe", "linting"});
    installation.set("engine.handler_budget_ms", "200");
    installation.set("engine.drain_timeout_ms", "1000");
    installation.publish(kTopic, {probe_event("thing.counted.v1", "free", 1), probe_event("thing.hung.v1", "stuck", 1),
                                  probe_event("thing.counted.v1", "stuck", 2), probe_event("thing.counted.v1", "free", 2)});
    installation.publish(kIdentityTopic, sample());
    const auto host = installation.start();
    REQUIRE(eventually([&] {
        const auto domains = installation.status();
        return domains.contains("probe") && !domains.at("probe").ready &&
               domains.at("probe").reason.find("handle_probe_thing_hung") != std::string::npos;
    }));
    CHECK(installation.status().at("probe").reason.find(probe_id("thing.hung.v1", "stuck", 1)) != std::string::npos);
    REQUIRE(eventually([&] { return installation.ready("linting") && installation.backlog(kIdentityTopic, "lint_group") == 0; }));
    REQUIRE(eventually([&] { return number(installation.database("probe"), "select count(*) from seen") == 2; })); // the key "free"
    installation.publish(kTopic, {probe_event("thing.counted.v1", "free", 3)});
    REQUIRE(eventually([&] { return number(installation.database("probe"), "select count(*) from seen") == 3; }));

    const auto status = installation.command({"status", "-c", installation.config().string()});
    REQUIRE(status->wait());
    CHECK(status->wait()->exit_code == 1);
    CHECK(status->output().find("handle_probe_thing_hung") != std::string::npos);

    const auto begin = Clock::now();
    host->signal(SIGTERM);
    const auto ended = host->wait();
    REQUIRE(ended);
    CHECK(ended->exit_code == 0);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    std::printf("SIGTERM to exit with a handler that never returns, drain_timeout 1000 ms: %lld ms\n",
                static_cast<long long>(took.count()));
    CHECK(took < 20s * slowness()); // its handler never returns
    CHECK(host->said("handler.abandoned", {"handle_probe_thing_hung"}));
    check_database(installation.database("linting"), expectation(), "user_prefs");

    // The same again, now to be drained: it can't be, and says so.
    const auto again = installation.start({"--until-drained", "--drain-timeout", "2"});
    const auto end = again->wait();
    REQUIRE(end);
    CHECK(end->exit_code == 3);
    CHECK(again->said("host.not_drained").size() == 1);
    CHECK(number(installation.database("probe"), "select count(*) from event_ledger") == 3); // neither the hung one nor the one behind it

    // And where somebody doesn't want to wait for it: it isn't the handler that ends the host.
    installation.set("engine.drain_timeout_ms", "60000");
    const auto third = installation.start();
    REQUIRE(eventually([&] {
        const auto domains = installation.status();
        return domains.contains("probe") && domains.at("probe").reason.find("handle_probe_thing_hung") != std::string::npos;
    }));
    third->signal(SIGTERM);
    REQUIRE(eventually([&] { return !third->said("host.stopping").empty(); }));
    const auto impatient = [&] { // the first moment is still the first signal's
        third->signal(SIGTERM);
        return !third->running();
    };
    REQUIRE(eventually(impatient));
    installation.set("engine.drain_timeout_ms", "1000");
    const auto last = installation.start({"--until-drained", "--drain-timeout", "2"});
    REQUIRE(last->wait());
    CHECK(last->said("handler.crashed").empty());
}
