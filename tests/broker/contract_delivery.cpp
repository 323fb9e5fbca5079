// SPDX-License-Identifier: Apache-2.0
// Promises about what is handed out: exactness, order, limits, redelivery.
#include "contract_support.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <set>

namespace weir::test {

namespace {
using namespace std::chrono_literals;
using broker::Outgoing;
using broker::Partition;

std::string random_bytes(std::mt19937_64 &random, std::size_t size) {
    std::string out(size, '\0');
    for (char &c : out) {
        c = static_cast<char>(random());
    }
    return out;
}

void bytes_are_exact(BrokerFixture &fixture) {
    std::mt19937_64 random(seed());
    std::vector<Outgoing> sent{
        {"", {}, ""},
        {"", {}, std::string("\0", 1)},
        {std::string("k\0k", 3), {{"a", std::string("\0\"\\\n\x1f", 5)}, {"a", ""}, {"\xff\xfe", "\xc0\x80"}}, std::string("a\0b\0", 4)},
        {"\xff", {}, "\xff\xfe\x80 not UTF-8"},
        {"key", {{"content-type", "application/json"}}, R"({"a":"ä\u0000"})"}};
    for (int number = 0; number < 60; ++number) {
        sent.push_back({random_bytes(random, random() % 20),
                        {{random_bytes(random, random() % 9), random_bytes(random, random() % 40)}},
                        random_bytes(random, random() % 3000)});
    }
    sent.push_back({"large", {}, random_bytes(random, 3u << 20)});
    const auto broker = fixture.open();
    broker->publish("t", sent);
    const auto consumer = subscribe(*broker, "c");
    claim_all(*consumer);
    const Batch got = read_count(*consumer, sent.size());
    const auto browsed = broker->browse({"t", 0}, std::nullopt, 1000);
    REQUIRE(got.size() == sent.size());
    REQUIRE(browsed.size() == sent.size());
    for (std::size_t index = 0; index < sent.size(); ++index) {
        CAPTURE(index);
        CHECK((got[index]->body == sent[index].body && browsed[index].body == sent[index].body));
        CHECK((got[index]->key == sent[index].key && browsed[index].key == sent[index].key));
        CHECK((got[index]->headers == sent[index].headers && browsed[index].headers == sent[index].headers));
    }
}

void order_is_kept(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    int sent = 0;
    for (const int count : {1, 7, 1000, 1, 300}) {
        broker->publish("t", numbered(sent, count));
        sent += count;
    }
    const auto consumer = subscribe(*broker, "c");
    claim_all(*consumer);
    const Batch got = read_count(*consumer, static_cast<std::size_t>(sent), {97, 1u << 20});
    CHECK(bodies(got) == expected(0, sent));
    for (std::size_t index = 1; index < got.size(); ++index) {
        REQUIRE(got[index - 1]->position < got[index]->position);
        REQUIRE(got[index - 1]->appended_at <= got[index]->appended_at);
    }
    CHECK(read_rest(*consumer).empty());
}

void keys_keep_their_partition(BrokerFixture &fixture) {
    fixture.make_topic("t", 4);
    std::map<std::string, std::set<std::uint32_t>> partitions;
    std::map<std::string, std::vector<std::string>> order;
    std::set<std::uint32_t> used;
    std::set<std::uint32_t> used_without_key;
    {
        const auto broker = fixture.open();
        for (int round = 0; round < 20; ++round) {
            std::vector<Outgoing> batch;
            for (int user = 0; user < 25; ++user) {
                batch.push_back({"user-" + std::to_string(user), {}, std::to_string(round)});
            }
            batch.push_back({"", {}, "no key"});
            broker->publish("t", batch);
        }
    }
    const auto broker = fixture.open();
    const auto consumer = subscribe(*broker, "c");
    CHECK(consumer->partitions() == std::vector<Partition>{{"t", 0}, {"t", 1}, {"t", 2}, {"t", 3}});
    claim_all(*consumer);
    for (const auto &message : read_count(*consumer, 520)) {
        if (message->key.empty()) {
            used_without_key.insert(message->partition);
        } else {
            partitions[message->key].insert(message->partition);
            order[message->key].push_back(message->body);
            used.insert(message->partition);
        }
    }
    REQUIRE(partitions.size() == 25);
    for (const auto &[key, where] : partitions) {
        CHECK(where.size() == 1);
        CHECK(order[key] == expected(0, 20));
    }
    CHECK(used.size() == 4);
    CHECK(used_without_key.size() == 4);
}

void limits_bound_a_read(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    std::vector<Outgoing> batch(10, Outgoing{"", {}, std::string(1000, 'x')});
    batch[4].body.assign(50000, 'y');
    broker->publish("t", batch);
    const auto consumer = subscribe(*broker, "c");
    claim_all(*consumer);
    CHECK(consumer->read({3, 1u << 20}, 1s).size() == 3);
    CHECK(consumer->read({100, 2500}, 1s).size() == 1); // the next is the large one
    CHECK(consumer->read({100, 10}, 1s).size() == 1);   // the first fits whatever its size
    CHECK(consumer->read({100, 2500}, 1s).size() == 2);
    CHECK(consumer->read({100, 3000}, 1s).size() == 3);
    CHECK(read_rest(*consumer).empty());
    CHECK(consumer->read({0, 0}, 0ms).empty());
}

void unacknowledged_comes_again(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    broker->publish("t", numbered(0, 10));
    {
        const auto first = subscribe(*broker, "c1");
        claim_all(*first);
        const Batch got = read_count(*first, 10, {4, 1u << 20});
        CHECK(got.front()->deliveries == 1);
        first->ack(std::span(got).subspan(2, 3)); // 2, 3, 4
        first->ack(std::span(got).subspan(7, 1)); // 7
        CHECK(read_rest(*first).empty());         // never twice by one object
    }
    broker->publish("t", numbered(10, 3));
    const std::vector<std::string> left{"0", "1", "5", "6", "8", "9", "10", "11", "12"};
    for (std::uint32_t deliveries = 2; deliveries < 5; ++deliveries) {
        const auto next = subscribe(*broker, "c" + std::to_string(deliveries));
        claim_all(*next);
        const Batch got = read_rest(*next, {5, 1u << 20});
        CHECK(bodies(got) == left);
        if (fixture.capabilities().counts_deliveries) {
            CHECK(got.front()->deliveries == deliveries);
            CHECK(got.back()->deliveries == deliveries - 1);
        }
    }
}

void acks_may_repeat(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    broker->publish("t", numbered(0, 6));
    const auto first = subscribe(*broker, "c1");
    claim_all(*first);
    const Batch got = read_count(*first, 6);
    first->ack(std::span(got).first(3));
    first->ack(std::span(got).first(3));
    first->ack(std::span(got).subspan(1, 3));
    first->ack({});
    const auto second = subscribe(*broker, "c2");
    claim_all(*second);
    const Batch again = read_rest(*second);
    CHECK(bodies(again) == expected(4, 2));
    first->ack(got); // late, from the one that was taken over: decided is decided
    second->ack(again);
    const auto third = subscribe(*broker, "c3");
    claim_all(*third);
    CHECK(read_rest(*third).empty());
}

/// Random reads, acks, crashes and takeovers against a model of what is pending.
void random_work_follows_the_model(BrokerFixture &fixture) {
    std::mt19937_64 random(seed());
    for (int sequence = 0; sequence < 4 * rounds(); ++sequence) {
        const std::string topic = "t" + std::to_string(sequence);
        const auto broker = fixture.open();
        broker->publish(topic, numbered(0, 1));
        int published = 1;
        int next = 0;                         // the first never delivered
        std::map<int, std::uint32_t> pending; // number -> deliveries
        std::set<int> to_hand;                // pending, not yet handed out by the present consumer
        std::vector<std::shared_ptr<const broker::Message>> handed;
        int incarnation = 0;
        auto consumer = subscribe(*broker, "c0", false, topic);
        claim_all(*consumer);
        for (int step = 0; step < 150; ++step) {
            switch (random() % 8) {
            case 0: {
                const int count = static_cast<int>(random() % 12) + 1;
                broker->publish(topic, numbered(published, count));
                published += count;
                break;
            }
            case 1: // the consumer dies, another takes over
                consumer.reset();
                consumer = subscribe(*broker, "c" + std::to_string(++incarnation), false, topic);
                claim_all(*consumer);
                handed.clear();
                to_hand.clear();
                for (const auto &[number, deliveries] : pending) {
                    to_hand.insert(number);
                }
                break;
            case 2:
            case 3:
            case 4: {
                const std::size_t limit = random() % 9 + 1;
                std::vector<std::string> want;
                std::vector<std::uint32_t> want_deliveries;
                while (want.size() < limit && (!to_hand.empty() || next < published)) {
                    const int number = to_hand.empty() ? next++ : *to_hand.begin();
                    to_hand.erase(number);
                    want.push_back(std::to_string(number));
                    want_deliveries.push_back(++pending[number]);
                }
                const Batch got = read_count(*consumer, want.size(), {limit, 1u << 20});
                REQUIRE(bodies(got) == want);
                for (std::size_t index = 0; index < got.size() && fixture.capabilities().counts_deliveries; ++index) {
                    REQUIRE(got[index]->deliveries == want_deliveries[index]);
                }
                handed.insert(handed.end(), got.begin(), got.end());
                break;
            }
            default: {
                Batch acked;
                for (const auto &message : handed) {
                    if (random() % 3 == 0) {
                        acked.push_back(message);
                        pending.erase(std::stoi(message->body));
                    }
                }
                std::shuffle(acked.begin(), acked.end(), random);
                consumer->ack(acked);
            }
            }
            if (fixture.capabilities().exact_counts) {
                const auto lag = consumer->lag();
                REQUIRE(lag.size() == 1);
                REQUIRE(lag[0].length == static_cast<std::uint64_t>(published));
                REQUIRE(lag[0].backlog == static_cast<std::uint64_t>(published - next));
                REQUIRE(lag[0].pending == pending.size());
            }
        }
    }
}

void release_and_claim_begin_anew(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    broker->publish("t", numbered(0, 5));
    const auto consumer = subscribe(*broker, "c");
    CHECK(consumer->read({}, 0ms).empty()); // ordered: nothing before a claim
    claim_all(*consumer);
    const Batch got = read_count(*consumer, 5);
    claim_all(*consumer); // a second claim hands out nothing twice
    CHECK(read_rest(*consumer).empty());
    consumer->ack(std::span(got).first(2));
    consumer->release({"t", 0});
    broker->publish("t", numbered(5, 1));
    CHECK(consumer->read({}, 0ms).empty());
    claim_all(*consumer);
    CHECK(bodies(read_rest(*consumer)) == expected(2, 4));
}

void what_was_taken_over_stays_with_the_successor(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    broker->publish("t", numbered(0, 10));
    {
        const auto dead = subscribe(*broker, "dead");
        claim_all(*dead);
        CHECK(read_count(*dead, 10).size() == 10);
    }
    const auto first = subscribe(*broker, "c1");
    claim_all(*first);
    CHECK(bodies(read_count(*first, 3, {3, 1u << 20})) == expected(0, 3));
    const auto second = subscribe(*broker, "c2");
    claim_all(*second);
    CHECK(read_rest(*first).empty()); // 3 to 9 were its to read, and are no longer
    CHECK(bodies(read_rest(*second)) == expected(0, 10));
}

void wake_ends_a_wait(BrokerFixture &fixture) {
    const auto broker = fixture.open();
    broker->publish("t", numbered(0, 1));
    const auto consumer = subscribe(*broker, "c");
    claim_all(*consumer);
    consumer->ack(read_count(*consumer, 1));
    std::atomic<bool> done{false};
    auto waiting = std::async(std::launch::async, [&] {
        const auto begun = std::chrono::steady_clock::now();
        const bool empty = consumer->read({}, 30s).empty();
        done = true;
        return empty && std::chrono::steady_clock::now() - begun < 10s;
    });
    CHECK(eventually([&] {
        consumer->wake();
        return done.load();
    }));
    CHECK(waiting.get());
}

void threads_may_share_a_consumer(BrokerFixture &fixture) {
    constexpr int kMessages = 3000;
    fixture.make_topic("t", 2);
    const auto broker = fixture.open();
    const auto consumer = subscribe(*broker, "c");
    claim_all(*consumer);
    std::mutex mutex;
    Batch unacked;
    std::atomic<bool> finished{false};
    auto publisher = std::async(std::launch::async, [&] {
        for (int sent = 0; sent < kMessages; sent += 50) {
            broker->publish("t", numbered(sent, 50));
        }
    });
    auto acker = std::async(std::launch::async, [&] {
        bool last = false;
        while (!last) {
            last = finished;
            Batch some;
            {
                const std::lock_guard lock(mutex);
                some.swap(unacked);
            }
            consumer->ack(some);
            consumer->lag();
            consumer->claim({"t", 0}, std::nullopt);
            broker->topics();
        }
    });
    std::multiset<std::string> seen;
    while (seen.size() < kMessages) {
        const Batch got = consumer->read({100, 1u << 20}, 10s);
        if (got.empty()) {
            break;
        }
        for (const auto &message : got) {
            seen.insert(message->body);
        }
        const std::lock_guard lock(mutex);
        unacked.insert(unacked.end(), got.begin(), got.end());
    }
    publisher.get();
    finished = true;
    acker.get();
    CHECK(seen.size() == kMessages);
    CHECK(std::set(seen.begin(), seen.end()).size() == kMessages);
    const auto next = subscribe(*broker, "c2");
    claim_all(*next);
    CHECK(read_rest(*next).empty());
}
} // namespace

std::vector<BrokerPromise> delivery_promises() {
    return {
        {"bodies, keys and headers come back byte for byte", bytes_are_exact, [](const auto &can) { return can.exact_bytes; }},
        {"a partition is read in the order it was published", order_is_kept, always},
        {"a key keeps its partition, and its order, and messages without one are spread", keys_keep_their_partition, always},
        {"a read keeps its limits, but for a first message that is larger", limits_bound_a_read, always},
        {"what is not acknowledged comes again, first and in order, to whoever claims next", unacknowledged_comes_again, always},
        {"acknowledging twice, in parts, or late is harmless", acks_may_repeat, always},
        {"any sequence of reads, acks and takeovers leaves what the model says", random_work_follows_the_model, always},
        {"release stops reading and a later claim hands out what is pending", release_and_claim_begin_anew, always},
        {"what a successor has claimed is not handed out by its predecessor", what_was_taken_over_stays_with_the_successor, always},
        {"wake ends a waiting read", wake_ends_a_wait, always},
        {"one thread reads while others acknowledge, ask and publish", threads_may_share_a_consumer, always},
    };
}

} // namespace weir::test
