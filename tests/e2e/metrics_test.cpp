// SPDX-License-Identifier: Apache-2.0
// What a running host tells Prometheus, scraped as Prometheus does.
#include "exposition_text.hpp"
#include "http_client.hpp"
#include "sample.hpp"
#include "table_lock.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <csignal>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const std::string kProbeTopic = "probe.thing.v1";

Text counted(int number) { return probe_event("thing.counted.v1", "subject", number); }

/// The port that the host says it listens on.
std::uint16_t port_of(const HostProcess &host) {
    std::uint16_t port = 0;
    eventually([&] {
        for (const std::string &line : host.said("http.listening")) {
            const auto at = line.find("127.0.0.1:");
            port = at == std::string::npos ? 0 : static_cast<std::uint16_t>(std::stoi(line.substr(at + 10)));
        }
        return port != 0;
    });
    REQUIRE(port != 0);
    return port;
}

/// A scrape that any reader takes.
ExpositionText scrape(std::uint16_t port) {
    const HttpAnswer answer = http(port, "GET", "/metrics");
    CHECK(answer.status == 200);
    CHECK(answer.header("Content-Type").value_or("") == "text/plain; version=0.0.4; charset=utf-8");
    ExpositionText page = read_exposition(answer.body);
    for (const std::string &problem : page.problems) {
        FAIL_CHECK(problem);
    }
    return page;
}

ExpositionText::Labels of(const char *outcome) { return {{"domain", "probe"}, {"topic", kProbeTopic}, {"outcome", outcome}}; }
const ExpositionText::Labels kDomain{{"domain", "probe"}};

/// What has fallen from one scrape to the next, though it may only rise.
std::string fallen(const ExpositionText &before, const ExpositionText &after) {
    std::string names;
    for (const auto &[name, family] : before.families) {
        const auto now = after.families.find(name);
        const auto look = [&](const std::map<ExpositionText::Labels, double> &old, const std::map<ExpositionText::Labels, double> &fresh) {
            for (const auto &[labels, value] : old) {
                const auto found = fresh.find(labels);
                if (found == fresh.end() || found->second < value) {
                    names += name + " ";
                }
            }
        };
        if (now == after.families.end()) {
            names += family.type == "counter" ? name + " " : "";
        } else if (family.type == "counter") {
            look(family.samples, now->second.samples);
        } else if (family.type == "histogram") {
            look(family.counts, now->second.counts);
            look(family.sums, now->second.sums);
        }
    }
    return names;
}

} // namespace

TEST_CASE("metrics agree with what is in the store and at the broker, and counters never fall while plugins are replaced") {
    for (const Backends &backends : {on_servers(), Backends{}}) {
        CAPTURE(backends.name());
        Installation installation({"probe"}, backends);
        installation.set("http.listen", "127.0.0.1:0");
        installation.publish(kProbeTopic, {counted(1), counted(2), counted(2), {"subject", "{cut"}});
        const auto host = installation.start();
        const std::uint16_t port = port_of(*host);
        INFO(host->log());
        ExpositionText page;
        REQUIRE(eventually([&] {
            page = scrape(port);
            return page.value("weir_events_total", of("dead_letter")) == 1 && page.value("weir_events_total", of("duplicate")) == 1 &&
                   page.value("weir_dead_letters_pending", kDomain) == 1;
        }));
        CHECK(page.value("weir_events_total", of("applied")) == 2);
        CHECK(page.value("weir_events_total", of("stale")) == 0);
        CHECK(page.value("weir_ready") == 1);
        CHECK(page.value("weir_domain_ready", kDomain) == 1);
        CHECK(page.value("weir_domain_phase", {{"domain", "probe"}, {"phase", "serving"}}) == 1);
        CHECK(page.value("weir_domain_plugin_info", {{"domain", "probe"}, {"plugin", "probe"}, {"version", "1.0.0"}}) == 1);
        CHECK(page.value("weir_ledger_events", kDomain) == 3); // the dead one, too
        CHECK(page.value("weir_outbox_pending_events", kDomain) == 0);
        CHECK(page.families.at("weir_batch_events").sums.at(kDomain) == 4);
        CHECK(page.families.at("weir_batch_duration_seconds").counts.at(kDomain) ==
              page.families.at("weir_batch_events").counts.at(kDomain));
        CHECK(page.value("process_open_fds") > 3);
        CHECK(page.families.contains("weir_store_pool_connections") == (backends.postgresql != nullptr));
        CHECK(eventually([&] {
            const ExpositionText now = scrape(port);
            const ExpositionText::Labels partition{{"domain", "probe"}, {"topic", kProbeTopic}, {"partition", "0"}};
            return now.value("weir_topic_lag_messages", partition) == 0 && now.value("weir_topic_pending_messages", partition) == 0 &&
                   now.value("weir_topic_messages", partition) == 4;
        }));
        CHECK(said_by_promtool(http(port, "GET", "/metrics").body) == "");

        installation.place("probe_2", "probe");
        int number = 3;
        std::string fell;
        REQUIRE(eventually(
            [&] {
                installation.publish(kProbeTopic, {counted(number++)});
                ExpositionText next = scrape(port);
                fell += fallen(page, next);
                page = std::move(next);
                return page.value("weir_domain_plugin_info", {{"domain", "probe"}, {"plugin", "probe"}, {"version", "2.0.0"}}) == 1 &&
                       page.value("weir_events_total", of("applied")) >= number - 1;
            },
            60s));
        CHECK(fell == "");
        CHECK(page.value("weir_domain_plugin_generation", kDomain) == 2);
        host->signal(SIGTERM);
        REQUIRE(host->wait(60s));
        CHECK(host->wait()->exit_code == 0);
    }
}

TEST_CASE("a domain whose plugin was removed is told of as stopped, and has no series by which an alert is raised") {
    Installation installation({"probe", "linting"});
    installation.set("http.listen", "127.0.0.1:0");
    const auto host = installation.start();
    const std::uint16_t port = port_of(*host);
    REQUIRE(eventually([&] { return scrape(port).value("weir_domain_ready", kDomain) == 1; }, 60s));
    std::filesystem::remove(installation.plugins() / "probe.so");
    ExpositionText page;
    REQUIRE(eventually(
        [&] {
            page = scrape(port);
            return page.value("weir_domain_phase", {{"domain", "probe"}, {"phase", "stopped"}}) == 1;
        },
        60s));
    CHECK_FALSE(page.families.at("weir_domain_ready").samples.contains(kDomain));
    CHECK_FALSE(page.families.at("weir_domain_topics_missing").samples.contains(kDomain));
    CHECK(page.families.at("weir_domain_ready").samples.contains({{"domain", "linting"}}));
    CHECK(page.value("weir_ready") == 1);
    host->signal(SIGTERM);
    REQUIRE(host->wait(60s));
}

TEST_CASE("a host that commits nothing of what it has read tells how much that is") {
    const Backends backends = on_embedded_and_postgresql();
    Installation installation({"probe"}, backends);
    installation.set("http.listen", "127.0.0.1:0");
    installation.set("store.lock_timeout_ms", "600000");
    installation.set("store.statement_timeout_ms", "600000");
    installation.publish(kProbeTopic, {counted(1)});
    const auto host = installation.start();
    const std::uint16_t port = port_of(*host);
    REQUIRE(eventually([&] { return scrape(port).value("weir_events_total", of("applied")) == 1; }, 60s));
    CHECK(eventually([&] { return scrape(port).value("weir_domain_in_hand_events", kDomain) == 0; }, 60s));
    {
        const TableLock lock(*backends.postgresql, installation.database_name(), "probe.seen");
        REQUIRE(eventually([&] { return lock.held(); }));
        installation.publish(kProbeTopic, {counted(2), counted(3)});
        CHECK(eventually([&] { return scrape(port).value("weir_domain_in_hand_events", kDomain) == 2; }, 60s));
    }
    CHECK(eventually([&] { return scrape(port).value("weir_domain_in_hand_events", kDomain) == 0; }, 60s));
    host->signal(SIGTERM);
    REQUIRE(host->wait(60s));
}

TEST_CASE("while broker and store are away, metrics are answered in time, and what can't be known is not told as if it were") {
    Installation installation({"probe"}, on_servers());
    Backends own;
    own.redis = std::make_shared<RedisServer>();
    installation.set("broker.url", own.redis->url());
    installation.set("http.listen", "127.0.0.1:0");
    const auto host = installation.start();
    const std::uint16_t port = port_of(*host);
    REQUIRE(eventually([&] { return scrape(port).value("weir_domain_ready", kDomain) == 1; }));
    own.redis->pause(); // stands still: nothing is refused, and nothing comes
    CHECK(eventually([&] { return scrape(port).value("weir_sample_age_seconds") > 4; }, 60s));
    own.redis->resume();
    own.redis->kill();
    CHECK(eventually([&] { return scrape(port).value("weir_domain_ready", kDomain) == 0; }, 60s));
    CHECK(eventually([&] { return scrape(port).value("weir_sample_age_seconds") > 6; }, 60s)); // it refuses: that is no answer
    CHECK(scrape(port).value("weir_ledger_events", kDomain) == 0);
    own.redis->start();
    CHECK(eventually([&] { return scrape(port).value("weir_domain_ready", kDomain) == 1; }, 60s));
    CHECK(eventually([&] { return scrape(port).value("weir_sample_age_seconds") < 4; }, 60s));
    host->signal(SIGTERM);
    REQUIRE(host->wait(60s));
    CHECK(host->wait()->exit_code == 0);
}
