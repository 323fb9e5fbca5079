// SPDX-License-Identifier: Apache-2.0
// Promises about topics and groups: where they begin, what is counted, what happens when they are lost.
#include "contract_support.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

namespace weir::test {

namespace {
using namespace std::chrono_literals;
using broker::Position;

void groups_are_apart(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    broker->publish("t", numbered(0, 5));
    for (const std::string group : {"one", "two"}) {
        const auto consumer = broker->subscribe({group, "c", {"t"}, false});
        claim_all(*consumer);
        const Batch got = read_rest(*consumer);
        CHECK(bodies(got) == expected(0, 5));
        consumer->ack(got);
    }
}

void a_missing_topic_is_found_later(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    const auto ordered = broker->subscribe({"ordered", "c", {"t"}, false});
    const auto parallel = broker->subscribe({"parallel", "c", {"t"}, true});
    CHECK(parallel->read({}, 0ms).empty());
    broker->publish("t", numbered(0, 3));
    REQUIRE(ordered->partitions().size() == 1);
    claim_all(*ordered);
    CHECK(bodies(read_count(*ordered, 3)) == expected(0, 3));
    CHECK(bodies(read_count(*parallel, 3)) == expected(0, 3));
}

void counts_are_exact(BrokerFixture &fixture) {
    fixture.make_topic("t", 3);
    const auto broker = fixture.open();
    broker->publish("t", numbered(0, 90));
    const auto consumer = subscribe(*broker, "c");
    claim_all(*consumer);
    const Batch got = read_count(*consumer, 40, {40, 1u << 20}, 1s);
    consumer->ack(std::span(got).first(15));
    const auto topics = broker->topics();
    REQUIRE(topics.size() == 1);
    CHECK(topics[0].topic == "t");
    CHECK(topics[0].partitions == 3);
    CHECK(topics[0].length == 90);
    REQUIRE(topics[0].groups.size() == 1);
    CHECK(topics[0].groups[0].group == "g");
    CHECK(topics[0].groups[0].backlog == 50);
    CHECK(topics[0].groups[0].pending == 25);
    std::uint64_t length = 0;
    std::uint64_t backlog = 0;
    std::uint64_t pending = 0;
    for (const auto &lag : consumer->lag()) {
        length += lag.length;
        backlog += lag.backlog;
        pending += lag.pending;
    }
    CHECK(length == 90);
    CHECK(backlog == 50);
    CHECK(pending == 25);
}

void browsing_changes_nothing(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    broker->publish("t", numbered(0, 30));
    std::vector<std::string> seen;
    std::optional<Position> after;
    for (auto part = broker->browse({"t", 0}, after, 7); !part.empty(); part = broker->browse({"t", 0}, after, 7)) {
        CHECK(part.size() <= 7);
        for (const auto &message : part) {
            seen.push_back(message.body);
            after = message.position;
        }
    }
    CHECK(seen == expected(0, 30));
    CHECK(broker->browse({"nowhere", 0}, std::nullopt, 7).empty());
    for (const std::size_t count : {std::size_t{1}, std::size_t{9}, std::size_t{30}, std::size_t{50}}) {
        std::vector<std::string> last;
        for (const auto &message : broker->newest({"t", 0}, count)) {
            last.push_back(message.body);
        }
        const std::size_t there = std::min<std::size_t>(count, 30);
        CHECK(last == expected(static_cast<int>(30 - there), static_cast<int>(there)));
    }
    CHECK(broker->newest({"nowhere", 0}, 3).empty());
    CHECK(broker->has_topic("t"));
    CHECK_FALSE(broker->has_topic("nowhere"));
    const auto consumer = subscribe(*broker, "c");
    claim_all(*consumer);
    CHECK(bodies(read_rest(*consumer)) == expected(0, 30));
}

void a_lost_group_goes_on_from_stored(BrokerFixture &fixture) {
    {
        const auto broker = fixture.open();
        broker->publish("t", numbered(0, 20));
    }
    Position stored;
    {
        const auto broker = fixture.open();
        const auto consumer = subscribe(*broker, "c1");
        claim_all(*consumer);
        const Batch got = read_count(*consumer, 12, {12, 1u << 20});
        consumer->ack(got);
        stored = got.back()->position;
    }
    fixture.drop_group("t", "g");
    const auto broker = fixture.open();
    const auto consumer = subscribe(*broker, "c2");
    consumer->claim({"t", 0}, stored);
    CHECK(bodies(read_rest(*consumer)) == expected(12, 8));
    const auto other = broker->subscribe({"another", "c3", {"t"}, false});
    other->claim({"t", 0}, std::nullopt);
    CHECK(bodies(read_rest(*other)) == expected(0, 20));
    const auto known = subscribe(*broker, "c4");
    known->claim({"t", 0}, Position{stored.high + 5, stored.low}); // the group is there: what it says counts
    CHECK(bodies(read_rest(*known)) == expected(12, 8));
}

void a_recreated_topic_is_another(BrokerFixture &fixture) {
    std::string before;
    std::shared_ptr<const broker::Message> old;
    {
        const auto broker = fixture.open();
        broker->publish("t", numbered(0, 5));
        const auto consumer = subscribe(*broker, "c1");
        claim_all(*consumer);
        before = consumer->incarnation({"t", 0});
        CHECK(before.size() == 36);
        old = read_count(*consumer, 5).front();
        CHECK(old->incarnation == before);
    }
    {
        const auto broker = fixture.open();
        CHECK(subscribe(*broker, "c2")->incarnation({"t", 0}) == before);
    }
    fixture.drop_topic("t");
    const auto broker = fixture.open();
    CHECK(subscribe(*broker, "c3")->partitions().empty());
    broker->publish("t", numbered(100, 3));
    const auto consumer = subscribe(*broker, "c4");
    claim_all(*consumer);
    CHECK(consumer->incarnation({"t", 0}) != before);
    const Batch got = read_count(*consumer, 3);
    CHECK(bodies(got) == expected(100, 3));
    CHECK(got.front()->incarnation == consumer->incarnation({"t", 0}));
    consumer->ack(std::vector{old}); // means a message of the first topic, whatever now stands at its position
    const auto next = subscribe(*broker, "c5");
    claim_all(*next);
    CHECK(bodies(read_rest(*next)) == expected(100, 3));
}

void parallel_readers_share(BrokerFixture &fixture) {
    fixture.make_topic("t", 2);
    const auto broker = fixture.open();
    broker->publish("t", numbered(0, 40));
    const auto first = subscribe(*broker, "c1", true);
    const auto second = subscribe(*broker, "c2", true);
    std::multiset<std::string> seen;
    Batch held;
    for (int turn = 0; turn < 4; ++turn) {
        for (const auto &message : first->read({5, 1u << 20}, 1s)) {
            seen.insert(message->body);
            held.push_back(message);
        }
        const Batch got = second->read({5, 1u << 20}, 1s);
        for (const auto &message : got) {
            seen.insert(message->body);
        }
        second->ack(got);
    }
    CHECK(seen.size() == 40);
    CHECK(std::set(seen.begin(), seen.end()).size() == 40);
    // The first is alive and renews: nothing of it is taken by the second.
    first->renew(1h);
    second->renew(1h);
    CHECK(read_rest(*second).empty());
    first->ack(std::span(held).first(8));
    // It is idle: the second takes what is left, once it has been idle for as long as is asked.
    Batch taken;
    CHECK(eventually([&] {
        second->renew(20ms);
        for (auto &message : read_rest(*second)) {
            taken.push_back(message);
        }
        return taken.size() >= held.size() - 8;
    }));
    CHECK(taken.size() == held.size() - 8);
    for (const auto &message : taken) {
        CHECK(std::find(held.begin() + 8, held.end(), message) == held.end());
        if (fixture.capabilities().counts_deliveries) {
            CHECK(message->deliveries == 2);
        }
    }
    second->renew(0ms);
    CHECK(read_rest(*second).empty()); // its own, in hand
    second->ack(taken);
    first->renew(0ms);
    CHECK(read_rest(*first).empty());
}

/// @return nothing where the machine stood still for so long that the lease had run out
std::optional<std::size_t> taken_from_one_that_renews(broker::Broker &broker, const std::string &group, std::size_t messages) {
    using Clock = std::chrono::steady_clock;
    constexpr auto kLease = 500ms;
    const auto first = broker.subscribe({group, "c1", {"t"}, true});
    const auto second = broker.subscribe({group, "c2", {"t"}, true});
    const Batch held = read_count(*first, messages);
    REQUIRE(held.size() == messages);
    std::size_t taken = 0;
    for (const auto end = Clock::now() + 4 * kLease; Clock::now() < end;) { // the first is at work all the time, and reads nothing
        const auto renewed = Clock::now();
        first->renew(kLease);
        second->renew(kLease);
        const bool stood_still = Clock::now() - renewed >= kLease;
        const std::size_t got = read_rest(*second).size();
        if (got > 0 && stood_still) {
            return std::nullopt;
        }
        taken += got;
    }
    first->ack(held);
    second->renew(0ms);
    return taken + read_rest(*second).size();
}

void work_that_outlasts_its_lease_is_kept(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    broker->publish("t", numbered(0, 6));
    std::optional<std::size_t> taken;
    for (int attempt = 0; attempt < 5 && !taken; ++attempt) {
        taken = taken_from_one_that_renews(*broker, "g" + std::to_string(attempt), 6);
    }
    REQUIRE(taken);
    CHECK(*taken == 0);
}
} // namespace

std::vector<BrokerPromise> group_promises() {
    return {
        {"each group reads everything", groups_are_apart, always},
        {"a topic that is made after the subscription is found", a_missing_topic_is_found_later, always},
        {"lag and topics count exactly", counts_are_exact, [](const auto &can) { return can.exact_counts; }},
        {"browsing reads everything and moves no group", browsing_changes_nothing, always},
        {"a lost group goes on after the stored position, a new one begins at the beginning", a_lost_group_goes_on_from_stored,
         [](const auto &can) { return can.restores_groups; }},
        {"a topic that is dropped and made again is another", a_recreated_topic_is_another, always},
        {"what is renewed is never taken, however much longer than its lease the work lasts", work_that_outlasts_its_lease_is_kept, always},
        {"parallel readers share; what one leaves idle goes to another, what it renews does not", parallel_readers_share, always},
    };
}

} // namespace weir::test
