// SPDX-License-Identifier: Apache-2.0
// That acknowledging stands in nobody's way, and what is in its own.
#include "engine_fixture.hpp"
#include "watched_broker.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>

using namespace weir;
using namespace weir::test;

namespace {

constexpr std::uint64_t kBatch = 20;
constexpr std::uint64_t kEvents = 10 * kBatch;

/// Acknowledgements wait here until it is opened, which it is at the latest when it goes.
class Gate {
public:
    ~Gate() { open(); }
    void pass(WatchedBroker::Messages messages) {
        std::unique_lock lock(mutex_);
        ++arrived_;
        opened_.wait(lock, [this] { return open_; });
        for (const auto &message : messages) {
            passed_.push_back(message->position);
        }
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        opened_.notify_all();
    }
    int arrived() const {
        const std::lock_guard lock(mutex_);
        return arrived_;
    }
    std::vector<broker::Position> passed() const {
        const std::lock_guard lock(mutex_);
        return passed_;
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable opened_;
    bool open_ = false;
    int arrived_ = 0;
    std::vector<broker::Position> passed_;
};

engine::DomainSpec in_batches() {
    engine::DomainSpec spec = EngineFixture::spec_for(items_plugin());
    spec.options.shards = 1; // so that a batch begins only when the one before it has committed
    spec.options.batch_max_events = kBatch;
    spec.options.read_max_events = kBatch;
    return spec;
}

void publish(EngineFixture &fixture) {
    std::vector<std::string> bodies;
    for (std::uint64_t i = 0; i < kEvents; ++i) {
        const std::string number = std::to_string(i);
        bodies.push_back(item_event(static_cast<int>(i), "item.marked.v1", R"({"id":"k)" + number + R"(","mark":"x"})"));
    }
    fixture.publish(bodies);
}

std::shared_ptr<TestModule> module_of_items() {
    return std::make_shared<TestModule>(items_plugin(),
                                        std::map<std::string, weir_handler_v1, std::less<>>{{"item.marked.v1", handlers::append}});
}

/// A domain that has events to serve, and whose acknowledgements wait until the gate is opened.
struct Held {
    Held() { publish(fixture), worker.emplace(in_batches(), module_of_items(), environment()); }
    ~Held() { gate.open(); } // before the worker waits for them
    Held(const Held &) = delete;
    Held &operator=(const Held &) = delete;

    engine::Environment environment() {
        engine::Environment made = fixture.environment();
        made.broker = &watched;
        return made;
    }

    EngineFixture fixture;
    Gate gate;
    WatchedBroker watched{*fixture.broker, [this](WatchedBroker::Messages messages) { gate.pass(messages); }};
    std::optional<engine::DomainWorker> worker;
};

broker::GroupInfo group(EngineFixture &fixture) { return fixture.broker->topics().at(0).groups.at(0); }

} // namespace

TEST_CASE("while a batch's acknowledgement hangs, the next batches are run and committed, and all are acknowledged in order afterwards") {
    Held held;
    REQUIRE(eventually([&] { return held.gate.arrived() == 1; }));
    const auto session = held.fixture.session(items_plugin());
    REQUIRE(eventually([&] { return session->ledger_counts().applied >= 3 * kBatch; }));
    CHECK(held.gate.arrived() == 1);
    CHECK(held.gate.passed().empty());
    CHECK(group(held.fixture).pending >= 3 * kBatch);
    held.gate.open();
    REQUIRE(EngineFixture::drain(*held.worker));
    CHECK(eventually([&] { return group(held.fixture).pending == 0; }));
    const std::vector<broker::Position> passed = held.gate.passed();
    CHECK(passed.size() == kEvents);
    CHECK(std::is_sorted(passed.begin(), passed.end()));
    CHECK(session->ledger_counts().applied == kEvents);
}

TEST_CASE("batches that wait for their acknowledgement are few, so that their memory is bounded") {
    Held held;
    const auto session = held.fixture.session(items_plugin());
    REQUIRE(eventually([&] { return session->ledger_counts().applied >= 4 * kBatch; }));
    // One is under way, two wait, and one finds no room; another may have begun meanwhile.
    CHECK_FALSE(eventually([&] { return session->ledger_counts().applied > 5 * kBatch; }, std::chrono::milliseconds(300)));
    held.gate.open();
    REQUIRE(EngineFixture::drain(*held.worker));
    CHECK(session->ledger_counts().applied == kEvents);
}
