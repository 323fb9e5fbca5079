// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/embedded/embedded_broker.hpp"
#include "engine/domain_worker.hpp"
#include "engine/supervisor.hpp"
#include "engine_store.hpp"
#include "event/contracts.hpp"
#include "support.hpp"
#include "test_module.hpp"

#include <memory>
#include <string>
#include <vector>

namespace weir::test {

/// A broker, a store and a state directory of a test's own, and what is needed to serve a domain on them.
struct EngineFixture {
    TemporaryDirectory directory;
    std::unique_ptr<broker::EmbeddedBroker> broker;
    std::unique_ptr<store::Store> store;
    event::Contracts contracts = event::Contracts::built_in();
    engine::EventBudget budget;

    explicit EngineFixture(std::chrono::milliseconds busy_timeout = std::chrono::seconds(5)) {
        broker::EmbeddedOptions broker_options;
        broker_options.file = directory / "broker.db";
        broker_options.synchronous = broker::Synchronous::normal;
        broker = broker::open_embedded_broker(broker_options);
        store = open_test_store(directory / "store", busy_timeout);
    }

    engine::Environment environment() { return {broker.get(), store.get(), &contracts, directory / "state", &budget}; }

    static engine::DomainSpec spec_for(const plugin::Description &description, const std::string &consumer = "test") {
        engine::DomainRequest request;
        request.name = description.domains.at(0).name;
        request.options.retry_delays = {std::chrono::milliseconds(20)};
        request.options.lease_time_to_live = std::chrono::milliseconds(2000);
        request.options.drain_timeout = std::chrono::milliseconds(2000);
        engine::DomainSpec spec;
        engine::resolve(request, description, consumer, spec);
        return spec;
    }

    void publish(const std::vector<std::string> &bodies, const std::string &topic = "items.v1") {
        std::vector<broker::Outgoing> messages;
        for (const std::string &body : bodies) {
            messages.push_back({"", {}, body});
        }
        broker->publish(topic, messages);
    }

    /// Waits until nothing is left to do.
    static bool drain(engine::DomainWorker &worker, std::chrono::milliseconds deadline = std::chrono::seconds(30)) {
        return eventually([&] { return worker.drained(); }, deadline);
    }

    std::unique_ptr<store::Session> session(const plugin::Description &description) {
        auto domain = store->domain(description.domains.at(0).schema);
        domain->migrate(description.schema);
        kept_.push_back(std::move(domain));
        return kept_.back()->open();
    }

    /// One item's row; nothing where there is none.
    std::optional<store::Row> item(const plugin::Description &description, const std::string &id) {
        const store::Key key{store::Value(id)};
        return session(description)->fetch(0, std::span(&key, 1)).front();
    }
    std::string trail(const plugin::Description &description, const std::string &id) {
        const auto row = item(description, id);
        return row ? std::get<std::string>((*row)[2]) : "(no row)";
    }

private:
    std::vector<std::unique_ptr<store::DomainStore>> kept_;
};

/// An event in its envelope. Ids are given by number, so that a test can send one twice.
inline std::string item_event(int number, const std::string &type, const std::string &payload) {
    return R"({"event_id":")" + event::Uuid::v5(event::weir_namespace(), "test/" + std::to_string(number)).text() + R"(","event_type":")" +
           type +
           R"(","tenant_id":"6b0d549b-6f03-475a-9600-a35a099950d8","occurred_at":"2026-01-01T00:00:00Z","schema_version":1,"payload":)" +
           payload + "}";
}

} // namespace weir::test
