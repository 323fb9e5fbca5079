// SPDX-License-Identifier: Apache-2.0
#include "operations/operations.hpp"

#include "broker/embedded/embedded_broker.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace weir;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using test::eventually;

namespace {

constexpr const char *kTopic = "things";

/// A host as /ready sees it: one domain, of which the test says how it is, on a broker and a store that answer.
struct Host {
    Host() {
        broker::EmbeddedOptions options;
        options.file = directory / "broker.db";
        options.new_topics.partitions = 2;
        embedded = broker::open_embedded_broker(options);
        store = store::sqlite::open_sqlite_store({directory / "store"});
        domain.name = "probe";
        domain.phase = engine::Phase::serving;
        domain.ready = true;
        spec.name = "probe";
        spec.group = "group";
        spec.topics = {kTopic};

        auto all = std::make_shared<operations::Sources>();
        all->version = "1.2.3";
        all->domains = [this] { return served ? std::vector{domain} : std::vector<engine::DomainStatus>(); };
        all->served = [this] {
            std::map<std::string, engine::Supervisor::Wanted> wanted;
            wanted["probe"].spec = spec;
            return wanted;
        };
        all->work = [this] { return std::map<std::string, std::shared_ptr<const engine::WorkInHand>>{{"probe", work}}; };
        all->brokers = {{"embedded://", embedded.get()}};
        all->common_broker = "embedded://";
        all->masked_url = [](const std::string &url) { return url; };
        all->store = store.get();
        all->stalled_after = 50ms;
        readiness = std::make_shared<operations::Readiness>(all);
        routes = operations::routes(all, readiness);
    }

    http::Response ask() {
        for (const http::Route &route : routes) {
            if (route.pattern == "/ready") {
                return route.handler({});
            }
        }
        FAIL("no /ready");
        return http::Response::empty(500);
    }
    /// What it says of the domain, or of the host; empty where it is ready.
    std::string reason() {
        const http::Response answer = ask();
        return answer.status == 200 ? "" : nlohmann::json::parse(answer.body).at("domains").at(0).at("reason").get<std::string>();
    }
    /// One message in a partition, of both of which the group has been given everything before.
    void publish(std::uint32_t partition) {
        const auto consumer = embedded->subscribe({"group", "consumer", {kTopic}, false});
        for (int number = 0;; ++number) {
            const broker::Outgoing message{"key " + std::to_string(number), {}, "{}"};
            embedded->publish(kTopic, std::span(&message, 1));
            for (const std::uint32_t one : {0u, 1u}) {
                consumer->claim({kTopic, one}, std::nullopt);
            }
            for (const broker::PartitionLag &lag : consumer->lag()) {
                if (lag.partition.number == partition && lag.backlog > 0) {
                    return;
                }
            }
            consumer->ack(consumer->read({}, 0ms));
        }
    }

    test::TemporaryDirectory directory;
    std::unique_ptr<broker::EmbeddedBroker> embedded;
    std::unique_ptr<store::Store> store;
    engine::DomainStatus domain;
    engine::DomainSpec spec;
    const std::shared_ptr<engine::WorkInHand> work = std::make_shared<engine::WorkInHand>();
    bool served = true;
    std::shared_ptr<operations::Readiness> readiness;
    std::vector<http::Route> routes;
};

} // namespace

TEST_CASE("a host isn't ready before it has looked for plugins, and from the moment that it stops") {
    Host host;
    host.served = false;
    const http::Response early = host.ask();
    CHECK(early.status == 503);
    CHECK(early.headers.find("Retry-After") == "1");
    CHECK_THAT(early.body, Contains("/problems/not-ready"));
    CHECK_THAT(host.reason(), Contains("its plugins are not loaded yet"));
    host.served = true; // one is there already
    CHECK(host.reason() == "");
    host.served = false;
    host.readiness->started();
    CHECK(host.ask().status == 200); // there is nothing to serve
    host.served = true;
    CHECK(host.ask().status == 200);
    host.readiness->stopping();
    CHECK(host.ask().status == 503);
    CHECK(host.reason() == "the host stops");
}

TEST_CASE("a host whose events in memory stand still isn't ready, also where there is no lag; one that stands by is") {
    Host host;
    host.readiness->started();
    CHECK(host.reason() == "");
    host.work->dealt(3);
    REQUIRE(eventually([&] { return host.reason() != ""; }));
    CHECK_THAT(host.reason(), Contains("it stands still: 3 events are in memory and 0 messages are not read yet"));
    host.domain.phase = engine::Phase::standby;
    CHECK(host.reason() == "");
    host.domain.phase = engine::Phase::serving;
    std::uint64_t *const counts[] = {&host.domain.counts.applied, &host.domain.counts.duplicates, &host.domain.counts.ignored,
                                     &host.domain.counts.dead_letters, &host.domain.counts.retries};
    for (std::uint64_t *const count : counts) {
        REQUIRE(eventually([&] { return host.reason() != ""; }));
        ++*count;
        CHECK(host.reason() == "");
    }
}

TEST_CASE("lag of partitions that this host reads is its own, and that of another host's isn't") {
    Host host;
    host.readiness->started();
    host.publish(1);
    host.work->lease({{kTopic, 1}});
    REQUIRE(eventually([&] { return host.reason() != ""; }));
    CHECK_THAT(host.reason(), Contains("0 events are in memory and 1 messages are not read yet"));
    host.work->lease({{kTopic, 0}});
    const auto until = std::chrono::steady_clock::now() + 500ms;
    CHECK_FALSE(eventually([&] { return host.reason() != ""; }, 500ms)); // ten times as long as it may stand still
    CHECK(std::chrono::steady_clock::now() >= until);
    host.spec.parallel = true; // then all of them are everybody's
    host.work->lease({});
    CHECK(eventually([&] { return host.reason() != ""; }));
}
