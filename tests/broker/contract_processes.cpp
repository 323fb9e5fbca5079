// SPDX-License-Identifier: Apache-2.0
// Promises across processes: kills, sharing, publishing at once, being woken.
#include "contract_support.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <poll.h>
#include <set>

namespace weir::test {

namespace {
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

void pause(int milliseconds) { poll(nullptr, 0, milliseconds); }

/// Reads and acknowledges parts of what it reads until it is killed; says "d N" when N was delivered, "a N" when its ack has returned.
int consume_until_killed(BrokerFixture &fixture, std::uint64_t random_seed, int round, const Child::Say &say) {
    std::mt19937_64 random(random_seed);
    const auto broker = fixture.open();
    const auto consumer = subscribe(*broker, "killed-" + std::to_string(round));
    claim_all(*consumer);
    say("ready");
    for (;;) {
        const Batch got = consumer->read({random() % 60 + 1, 1u << 20}, 200ms);
        if (got.empty()) {
            return 0;
        }
        for (const auto &message : got) {
            say("d " + message->body);
        }
        Batch acked;
        for (const auto &message : got) {
            if (random() % 8 != 0) {
                acked.push_back(message);
            }
        }
        consumer->ack(acked);
        for (const auto &message : acked) {
            say("a " + message->body);
        }
    }
}

void killed_consumers_lose_nothing(BrokerFixture &fixture) {
    const int messages = 1000 * 12 * rounds();
    std::mt19937_64 random(seed());
    fixture.make_topic("t", 2);
    fixture.open()->publish("t", numbered(0, messages));
    std::set<int> delivered;
    std::set<int> acked;
    int delivered_after_ack = 0;
    const auto note = [&](const std::string &line) {
        if (line.size() < 3 || line[1] != ' ') {
            return;
        }
        const int number = std::stoi(line.substr(2));
        if (line[0] == 'a') {
            acked.insert(number);
        } else {
            delivered_after_ack += static_cast<int>(acked.count(number));
            delivered.insert(number);
        }
    };
    for (int round = 0; round < 12 * rounds(); ++round) {
        const std::uint64_t child_seed = random();
        Child child([&](const Child::Say &say) { return consume_until_killed(fixture, child_seed, round, say); });
        std::string line;
        for (auto lines = random() % 400; lines > 0 && child.line(line); --lines) {
            INFO(line);
            REQUIRE(line.substr(0, 5) != "error");
            note(line);
        }
        pause(static_cast<int>(random() % 3));
        child.kill();
        std::vector<std::string> rest;
        child.wait(&rest);
        for (const auto &said : rest) {
            note(said);
        }
    }
    const auto broker = fixture.open();
    const auto consumer = subscribe(*broker, "survivor");
    claim_all(*consumer);
    const Batch left = read_rest(*consumer);
    std::map<std::uint32_t, int> last;
    for (const auto &message : left) {
        const int number = std::stoi(message->body);
        delivered_after_ack += static_cast<int>(acked.count(number));
        delivered.insert(number);
        REQUIRE((!last.count(message->partition) || last[message->partition] < number)); // pending first, then new: all in order
        last[message->partition] = number;
    }
    CHECK(acked.size() > 0);
    CHECK(left.size() > 0);
    CHECK(delivered.size() == static_cast<std::size_t>(messages));
    CHECK(delivered_after_ack == 0);
    consumer->ack(left);
    CHECK(read_rest(*subscribe(*broker, "nobody")).empty());
}

void four_readers_share_through_kills(BrokerFixture &fixture) {
    constexpr int kMessages = 4000;
    constexpr auto kIdle = 300ms;
    std::mt19937_64 random(seed());
    fixture.make_topic("t", 2);
    fixture.open()->publish("t", numbered(0, kMessages));
    std::vector<Child> children;
    for (int number = 0; number < 4; ++number) {
        children.emplace_back([&, number](const Child::Say &say) {
            const auto broker = fixture.open();
            const auto consumer = subscribe(*broker, "share-" + std::to_string(number), true);
            auto quiet_since = Clock::now();
            while (Clock::now() - quiet_since < 1500ms) {
                const auto asked = Clock::now();
                const Batch got = consumer->read({25, 1u << 20}, 50ms);
                for (const auto &message : got) {
                    say("d " + message->body);
                }
                pause(1);
                consumer->ack(got);
                // A process that the machine did not let run for that long counts as gone: others may have taken what it had.
                const bool stalled = Clock::now() - asked >= kIdle;
                for (const auto &message : got) {
                    if (stalled) {
                        say("s " + message->body);
                    }
                    say("a " + message->body);
                }
                consumer->renew(kIdle);
                if (!got.empty()) {
                    quiet_since = Clock::now();
                }
            }
            return 0;
        });
    }
    std::map<int, std::multiset<int>> acked_by; // number -> children
    std::set<int> delivered_to_lost;            // or to one that stood still
    std::string line;
    const auto note = [&](int child, const std::string &said) {
        INFO(said);
        REQUIRE(said.substr(0, 5) != "error");
        if (said[0] == 'a') {
            acked_by[std::stoi(said.substr(2))].insert(child);
        } else if (said[0] == 's' || child < 2) {
            delivered_to_lost.insert(std::stoi(said.substr(2)));
        }
    };
    for (int victim = 0; victim < 2; ++victim) {
        for (auto lines = random() % 300 + 20; lines > 0 && children[static_cast<std::size_t>(victim)].line(line); --lines) {
            note(victim, line);
        }
        children[static_cast<std::size_t>(victim)].kill();
    }
    for (int child = 0; child < 4; ++child) {
        std::vector<std::string> rest;
        const int status = children[static_cast<std::size_t>(child)].wait(&rest);
        CHECK(status == (child < 2 ? -1 : 0));
        for (const auto &said : rest) {
            note(child, said);
        }
    }
    const auto broker = fixture.open();
    const auto consumer = subscribe(*broker, "last", true);
    consumer->renew(0ms);
    CHECK(read_rest(*consumer).empty());
    int twice_without_a_kill = 0;
    for (int number = 0; number < kMessages; ++number) {
        const auto &by = acked_by[number];
        if (by.empty() && !delivered_to_lost.count(number)) {
            CAPTURE(number);
            FAIL("a message was given to nobody");
        }
        twice_without_a_kill += by.size() > 1 && !delivered_to_lost.count(number) ? 1 : 0;
    }
    CHECK(twice_without_a_kill == 0);
}

void publishers_do_not_disturb_each_other(BrokerFixture &fixture) {
    fixture.make_topic("t", 3);
    constexpr int kPublishers = 4;
    constexpr int kBatches = 60;
    std::vector<Child> children;
    for (int number = 0; number < kPublishers; ++number) {
        const std::uint64_t child_seed = seed() + static_cast<std::uint64_t>(number);
        children.emplace_back([&, number, child_seed](const Child::Say &say) {
            std::mt19937_64 random(child_seed);
            const auto broker = fixture.open();
            int sent = 0;
            for (int batch = 0; batch < kBatches; ++batch) {
                const int count = static_cast<int>(random() % 40) + 1;
                broker->publish("t", numbered(sent, count, "publisher-" + std::to_string(number)));
                sent += count;
            }
            say(std::to_string(sent));
            return 0;
        });
    }
    std::map<std::string, int> sent;
    for (int number = 0; number < kPublishers; ++number) {
        std::vector<std::string> said;
        const int status = children[static_cast<std::size_t>(number)].wait(&said);
        INFO((said.empty() ? "" : said.front()));
        REQUIRE(status == 0);
        sent["publisher-" + std::to_string(number)] = std::stoi(said.at(0));
    }
    const auto broker = fixture.open();
    const auto consumer = subscribe(*broker, "c");
    claim_all(*consumer);
    std::map<std::string, int> seen;
    std::map<std::uint32_t, event::Micros> appended;
    for (const auto &message : read_rest(*consumer)) {
        REQUIRE(message->body == std::to_string(seen[message->key]++));
        REQUIRE(appended[message->partition] <= message->appended_at);
        appended[message->partition] = message->appended_at;
    }
    CHECK(seen == sent);
}

void a_killed_publisher_leaves_whole_batches(BrokerFixture &fixture) {
    std::mt19937_64 random(seed());
    int known = 0;
    for (int round = 0; round < 8 * rounds(); ++round) {
        const int from = known;
        Child child([&](const Child::Say &say) {
            const auto broker = fixture.open();
            for (int batch = 0;; ++batch) {
                broker->publish("t", numbered(from + batch * 50, 50));
                say(std::to_string(from + batch * 50 + 50));
            }
            return 0;
        });
        std::string line;
        for (auto lines = random() % 12 + 1; lines > 0 && child.line(line); --lines) {
        }
        pause(static_cast<int>(random() % 4));
        child.kill();
        std::vector<std::string> rest;
        child.wait(&rest);
        const int promised = std::stoi(rest.empty() ? line : rest.back());
        const auto broker = fixture.open();
        const auto kept = broker->browse({"t", 0}, std::nullopt, 1u << 20);
        const int count = static_cast<int>(kept.size());
        REQUIRE(count % 50 == 0);
        REQUIRE(count >= promised);
        REQUIRE(count <= promised + 50); // the one in doubt
        for (int number = 0; number < count; ++number) {
            REQUIRE(kept[static_cast<std::size_t>(number)].body == std::to_string(number));
        }
        known = count;
    }
}

void a_waiting_reader_is_woken(BrokerFixture &fixture) {
    constexpr int kTimes = 60;
    fixture.make_topic("t", 1);
    Child child([&](const Child::Say &say) {
        const auto broker = fixture.open();
        say("ready");
        for (int number = 0; number < kTimes; ++number) {
            pause(10 + number % 7);
            broker->publish("t", numbered(number, 1));
            say(std::to_string(Clock::now().time_since_epoch().count()));
        }
        return 0;
    });
    const auto broker = fixture.open();
    const auto consumer = subscribe(*broker, "c");
    claim_all(*consumer);
    std::string line;
    REQUIRE(child.line(line));
    REQUIRE(line == "ready");
    std::vector<Clock::duration> late;
    for (int number = 0; number < kTimes; ++number) {
        const Batch got = consumer->read({1, 1u << 20}, 10s);
        const auto now = Clock::now();
        REQUIRE(bodies(got) == expected(number, 1));
        consumer->ack(got);
        REQUIRE(child.line(line));
        late.push_back(now - Clock::time_point(Clock::duration(std::stoll(line))));
    }
    std::sort(late.begin(), late.end());
    const auto in_us = [](Clock::duration duration) { return std::chrono::duration_cast<std::chrono::microseconds>(duration).count(); };
    INFO("median " << in_us(late[kTimes / 2]) << " us, worst " << in_us(late.back()) << " us after publish returned");
    CHECK(late[kTimes / 2] < fixture.capabilities().wake);
    CHECK(child.wait() == 0);
}
} // namespace

std::vector<BrokerPromise> process_promises() {
    return {
        {"consumers killed at random moments lose nothing, and what they acknowledged never comes again", killed_consumers_lose_nothing,
         always},
        {"four parallel readers share every message, and survive the kill of two", four_readers_share_through_kills, always},
        {"several processes publish at once without loss, duplicates or disorder", publishers_do_not_disturb_each_other, always},
        {"a killed publisher leaves whole batches, and all that it was promised", a_killed_publisher_leaves_whole_batches,
         [](const auto &can) { return can.atomic_publish; }},
        {"a reader that waits is woken by another process", a_waiting_reader_is_woken, always},
    };
}

} // namespace weir::test
