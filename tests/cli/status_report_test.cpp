// SPDX-License-Identifier: Apache-2.0
// What a host writes for `weir status` of what its servers say.
#include "cli/backends.hpp"
#include "cli/sampler.hpp"
#include "cli/status_report.hpp"
#include "config/config.hpp"
#include "servers.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>
#include <vector>

using namespace weir;
using namespace std::chrono_literals;
using nlohmann::json;
using test::eventually;

namespace {

constexpr std::size_t kMessages = 3;

/// A domain with two topics on a Redis of its own: three messages in each that nobody has read.
struct Reported {
    Reported() {
        test::write_file(directory / "weir.json", R"({"broker": {"url": ")" + redis.url() + R"("}, "data_directory": "data"})");
        config::Loaded loaded = config::load(directory / "weir.json", {});
        REQUIRE(loaded.problems.empty());
        brokers = cli::open_brokers(loaded.config);
        store = cli::open_store(loaded.config);
        store->domain("probe")->migrate({});
        const std::vector<broker::Outgoing> messages(kMessages, {"key", {}, "{}"});
        for (const char *topic : {"things", "others"}) {
            brokers.begin()->second->publish(topic, messages);
        }
        spec.name = spec.schema = spec.group = "probe";
        spec.topics = {"things", "others"};
        sampler = std::make_unique<cli::Sampler>(brokers, *store, [this] { return std::vector{spec}; });
    }

    json domain(bool sampled = true) const {
        engine::DomainStatus status;
        status.name = "probe";
        cli::HostReport report;
        if (sampled) {
            report.samples = sampler->get(100ms, 0ms);
        }
        return json::parse(cli::status_json({status}, report))["domains"][0];
    }

    test::TemporaryDirectory directory;
    test::RedisServer redis;
    cli::Brokers brokers;
    std::unique_ptr<store::Store> store;
    engine::DomainSpec spec;
    std::unique_ptr<cli::Sampler> sampler;
};

} // namespace

TEST_CASE("a host reports each domain's lag by topic and in all, and null for what it doesn't know") {
    Reported reported;
    const json unknown = reported.domain(false);
    for (const char *member : {"lag", "unacknowledged", "dead_letters_pending", "sample_age_ms"}) {
        CAPTURE(member);
        REQUIRE(unknown.contains(member));
        CHECK(unknown[member].is_null());
    }
    REQUIRE(eventually([&] { return reported.domain()["lag"] == 2 * kMessages; }));
    const json known = reported.domain();
    CHECK(known["unacknowledged"] == 0);
    CHECK(known["dead_letters_pending"] == 0);
    CHECK(known["topics"] == json::parse(R"([{"topic": "others", "lag": 3, "unacknowledged": 0},
                                             {"topic": "things", "lag": 3, "unacknowledged": 0}])"));
    CHECK(known["sample_age_ms"] < 60000);

    const auto reader = reported.brokers.begin()->second->subscribe({"probe", "reader", {"things"}, false});
    reader->claim({"things", 0}, std::nullopt);
    REQUIRE(eventually([&] { return !reader->read({kMessages, 1u << 20}, 10ms).empty(); }));
    CHECK(eventually([&] {
        const json now = reported.domain();
        return now["lag"] == kMessages && now["unacknowledged"] == kMessages;
    }));
}

TEST_CASE("a host that ends doesn't wait for a server that says nothing to what it was asked for the status") {
    Reported reported;
    REQUIRE(eventually([&] { return reported.domain()["lag"].is_number(); }));
    reported.redis.pause();
    int old = 0; // looks in a row that find nothing newer: a question is under way, and stays so
    REQUIRE(eventually([&] { return (old = reported.domain()["sample_age_ms"] > 500 ? old + 1 : 0) >= 10; }));
    const auto before = std::chrono::steady_clock::now();
    CHECK_FALSE(reported.sampler->end_by(before + 100ms));
    CHECK(std::chrono::steady_clock::now() < before + 2s); // an answer is waited for five
    reported.redis.resume();
    CHECK(reported.sampler->end_by(std::chrono::steady_clock::now() + 60s));
}
