// SPDX-License-Identifier: Apache-2.0
// How old is what metrics tell of servers that don't answer.
#include "cli/backends.hpp"
#include "cli/host_metrics.hpp"
#include "cli/sampler.hpp"
#include "config/config.hpp"
#include "servers.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <memory>
#include <string>

using namespace weir;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using test::eventually;

namespace {

constexpr const char *kLag = "\nweir_topic_lag_messages{";
constexpr const char *kLedger = "\nweir_ledger_events{";

/// A domain on a Redis and a SQLite of its own, and what metrics say of it.
struct Watched {
    Watched() {
        test::write_file(directory / "weir.json", R"({"broker": {"url": ")" + redis.url() + R"("}, "data_directory": "data"})");
        config::Loaded loaded = config::load(directory / "weir.json", {});
        for (const config::Problem &problem : loaded.problems) {
            FAIL(problem.what);
        }
        brokers = cli::open_brokers(loaded.config);
        store = cli::open_store(loaded.config);
        store->domain("probe")->migrate({});
        const broker::Outgoing message{"key", {}, "{}"};
        brokers.begin()->second->publish("things", std::span(&message, 1));
    }
    std::unique_ptr<cli::Sampler> sampler() {
        engine::DomainSpec spec;
        spec.name = spec.schema = spec.group = "probe";
        spec.topics = {"things"};
        spec.parallel = parallel;
        return std::make_unique<cli::Sampler>(brokers, *store, [spec] { return std::vector{spec}; });
    }
    cli::HostMetrics metrics(cli::Sampler &from, std::chrono::milliseconds max_age) const {
        cli::HostMetrics::Sources sources;
        sources.status = [] {
            engine::DomainStatus status;
            status.name = "probe";
            return std::vector{status};
        };
        sources.work = [here = work] { return std::map<std::string, std::shared_ptr<const engine::WorkInHand>>{{"probe", here}}; };
        sources.sample_max_age = max_age;
        return {std::move(sources), from, *store};
    }

    test::TemporaryDirectory directory;
    test::RedisServer redis;
    cli::Brokers brokers;
    std::unique_ptr<store::Store> store;
    const std::shared_ptr<engine::WorkInHand> work = std::make_shared<engine::WorkInHand>();
    bool parallel = false;
};

double age(const cli::HostMetrics &metrics) {
    const std::string text = metrics.text();
    const std::string name = "\nweir_sample_age_seconds ";
    const std::size_t at = text.find(name);
    REQUIRE(at != std::string::npos);
    return std::stod(text.substr(at + name.size()));
}

bool tells(const cli::HostMetrics &metrics, const char *family) { return metrics.text().find(family) != std::string::npos; }

} // namespace

TEST_CASE("what a server said last is told for a while when it refuses, its age counts from then, and other servers' figures stay") {
    Watched watched;
    const auto sampler = watched.sampler();
    const cli::HostMetrics lasting = watched.metrics(*sampler, 1h);
    const cli::HostMetrics brief = watched.metrics(*sampler, 5s);
    REQUIRE(eventually([&] { return tells(lasting, kLag) && tells(brief, kLag) && tells(lasting, kLedger) && age(lasting) < 3; }));
    watched.redis.kill();
    CHECK(eventually([&] { return age(lasting) > 6; }, 60s));
    CHECK(tells(lasting, kLag));
    CHECK_FALSE(tells(brief, kLag));
    CHECK(eventually([&] { return tells(brief, kLedger); }));
    watched.redis.start();
    CHECK(eventually([&] { return age(lasting) < 3 && tells(brief, kLag); }, 60s));
}

TEST_CASE("where a server has never answered, the age counts from the first question") {
    Watched watched;
    watched.redis.kill();
    const auto sampler = watched.sampler();
    const cli::HostMetrics metrics = watched.metrics(*sampler, 1h);
    CHECK(eventually([&] { return age(metrics) > 5; }, 60s));
    CHECK_FALSE(tells(metrics, kLag));
    CHECK(tells(metrics, kLedger));
}

TEST_CASE("what a host has to do is what it has in memory, and what there is to read of its own partitions") {
    Watched watched;
    const auto said = [&](const cli::HostMetrics &metrics, const std::string &line) {
        return eventually([&] { return metrics.text().find("\n" + line + "\n") != std::string::npos; });
    };
    const auto sampler = watched.sampler();
    const cli::HostMetrics metrics = watched.metrics(*sampler, 1h);
    CHECK(said(metrics, "weir_domain_unread_messages{domain=\"probe\"} 0"));
    CHECK(said(metrics, "weir_domain_in_hand_events{domain=\"probe\"} 0"));
    watched.work->lease({{"things", 0}});
    watched.work->read(3);
    watched.work->dealt(4);
    CHECK(said(metrics, "weir_domain_unread_messages{domain=\"probe\"} 1"));
    CHECK(said(metrics, "weir_domain_in_hand_events{domain=\"probe\"} 7"));
    watched.work->lease({{"things", 1}});
    CHECK(said(metrics, "weir_domain_unread_messages{domain=\"probe\"} 0"));
    watched.parallel = true; // then all of them are everybody's
    const auto shared = watched.sampler();
    CHECK(said(watched.metrics(*shared, 1h), "weir_domain_unread_messages{domain=\"probe\"} 1"));
}
