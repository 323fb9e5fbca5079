// SPDX-License-Identifier: Apache-2.0
#include "engine/key_gate.hpp"
#include "engine/position_tracker.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::engine;

namespace {
WorkPtr work(std::uint64_t position, const std::string &key) {
    auto message = std::make_shared<event::Message>();
    message->topic = "t";
    message->position = {position, 0};
    message->body = "12345";
    event::Event decoded;
    decoded.message = message;
    decoded.id = event::Uuid::v5(event::weir_namespace(), std::to_string(position));
    auto made = std::make_shared<Work>();
    made->event = std::make_shared<const event::Event>(decoded);
    made->order_key = key;
    return made;
}
std::vector<std::uint64_t> positions(const std::vector<WorkPtr> &list) {
    std::vector<std::uint64_t> result;
    for (const WorkPtr &entry : list) {
        result.push_back(entry->event->message->position.high);
    }
    return result;
}
} // namespace

TEST_CASE("a waiting head keeps the later events of its key behind it, in order, and nothing of other keys") {
    KeyGate gate;
    const auto start = KeyGate::Clock::now();
    const WorkPtr head = work(1, "a");
    gate.wait_until(head, start + std::chrono::seconds(1));
    CHECK(gate.hold(work(2, "a")));
    CHECK_FALSE(gate.hold(work(3, "b")));
    CHECK(gate.hold(work(4, "a")));
    CHECK(gate.events() == 3);
    CHECK(gate.due(start, 10).empty());
    CHECK(gate.next_due() == start + std::chrono::seconds(1));
    CHECK(positions(gate.due(start + std::chrono::seconds(2), 10)) == std::vector<std::uint64_t>{1, 2, 4});
    CHECK(gate.due(start + std::chrono::seconds(2), 10).empty()); // taken
    gate.decided(head);
    CHECK(positions(gate.due(start, 10)) == std::vector<std::uint64_t>{2, 4});
}

TEST_CASE("a head that waits again holds its followers again") {
    KeyGate gate;
    const auto start = KeyGate::Clock::now();
    const WorkPtr head = work(1, "a");
    const WorkPtr next = work(2, "a");
    gate.wait_until(head, start);
    gate.hold(next);
    REQUIRE(gate.due(start, 10).size() == 2);
    gate.wait_until(head, start + std::chrono::seconds(5));
    gate.hold_behind(next);
    CHECK(gate.events() == 2);
    CHECK(gate.due(start + std::chrono::seconds(1), 10).empty());
    CHECK(positions(gate.due(start + std::chrono::seconds(6), 10)) == std::vector<std::uint64_t>{1, 2});
    gate.decided(head);
    gate.decided(next);
    CHECK(gate.events() == 0);
    CHECK(gate.bytes() == 0);
    CHECK_FALSE(gate.next_due());
}

TEST_CASE("an event whose handler is overdue is due when it has returned, not before") {
    KeyGate gate;
    const auto start = KeyGate::Clock::now();
    const WorkPtr head = work(1, "a");
    gate.wait_for_handler(head);
    gate.hold(work(2, "a"));
    CHECK(gate.due(start + std::chrono::hours(1), 10).empty());
    gate.returned(head);
    CHECK(gate.due(start, 1).size() == 1);
}

TEST_CASE("an event of the gate that is behind another of its key stays there, whatever is said of it") {
    KeyGate gate;
    const auto start = KeyGate::Clock::now();
    const WorkPtr first = work(1, "a");
    const WorkPtr second = work(2, "a");
    gate.wait_until(first, start);
    CHECK(gate.hold(second));
    gate.wait_for_handler(second);
    gate.wait_until(second, start + std::chrono::hours(1));
    CHECK(gate.events() == 2);
    CHECK(positions(gate.due(start, 10)) == std::vector<std::uint64_t>{1, 2});
    gate.decided(first);
    CHECK(positions(gate.due(start, 10)) == std::vector<std::uint64_t>{2});
    gate.decided(second);
    CHECK(gate.events() == 0);
    CHECK_FALSE(gate.hold(work(3, "a")));
}

TEST_CASE("handlers that are given up on leave no event behind as running, wherever it waits") {
    KeyGate gate;
    const WorkPtr first = work(1, "a");
    const WorkPtr second = work(2, "a");
    second->running_alone = true; // held behind the first after a refusal
    gate.wait_until(first, KeyGate::Clock::now());
    CHECK(gate.hold(second));
    gate.give_up_handlers();
    CHECK_FALSE(second->running_alone);
}

TEST_CASE("events without a key wait for themselves alone") {
    KeyGate gate;
    const auto start = KeyGate::Clock::now();
    gate.wait_until(work(1, ""), start + std::chrono::seconds(1));
    gate.wait_until(work(2, ""), start);
    CHECK_FALSE(gate.hold(work(3, "")));
    CHECK(positions(gate.due(start, 10)) == std::vector<std::uint64_t>{2});
}

TEST_CASE("what was read under a lost lease is forgotten") {
    KeyGate gate;
    const WorkPtr old = work(1, "a");
    old->claim = 1;
    gate.wait_until(old, KeyGate::Clock::now());
    gate.drop_claims_before("t", 0, 2);
    CHECK(gate.events() == 0);
    CHECK(gate.due(KeyGate::Clock::now() + std::chrono::seconds(1), 10).empty());
}

TEST_CASE("a partition is decided up to its first gap") {
    PositionTracker tracker;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        tracker.seen({i, 0});
    }
    tracker.decided({2, 0});
    tracker.decided({4, 0});
    CHECK_FALSE(tracker.through());
    tracker.decided({1, 0});
    CHECK(tracker.through()->high == 2);
    tracker.decided({3, 0});
    CHECK(tracker.through()->high == 4);
    tracker.decided({9, 0}); // never seen
    CHECK(tracker.through()->high == 4);
}
