// SPDX-License-Identifier: Apache-2.0
// Groups that are lost, entries that go to others, entries that are trimmed while they are pending.
#include "contract_support.hpp"
#include "event/decoder.hpp"
#include "redis_fixture.hpp"

#include <catch2/catch.hpp>

#include <future>
#include <set>

namespace {
using namespace weir;
using namespace std::chrono_literals;
using test::Batch;

std::multiset<std::string> as_set(const Batch &batch) {
    const auto all = test::bodies(batch);
    return {all.begin(), all.end()};
}

void add(const test::RedisServer &server, int from, int count, const std::string &key = "t") {
    for (int number = from; number < from + count; ++number) {
        server.command({"XADD", key, "*", "event", std::to_string(number)});
    }
}

std::string pending(const test::RedisServer &server, const std::string &key = "t", const std::string &group = "g") {
    const std::string summary = server.command({"XPENDING", key, group});
    return summary.substr(0, summary.find('\n'));
}
} // namespace

TEST_CASE("a group that is lost while it is read is made again, and nothing in hand comes twice or is lost") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 20));
    const auto consumer = test::subscribe(*broker, "c1");
    test::claim_all(*consumer);
    const Batch first = test::read_count(*consumer, 10, {10, 1u << 20});
    consumer->ack(std::span(first).first(4));
    server.command({"XGROUP", "DESTROY", "t", "g"});
    const Batch rest = test::read_count(*consumer, 10);
    CHECK(test::bodies(rest) == test::expected(10, 10));
    // What is in hand is pending again: whoever claims after a crash gets it.
    const auto successor = test::subscribe(*broker, "c2");
    test::claim_all(*successor);
    CHECK(test::bodies(test::read_rest(*successor)) == test::expected(4, 16));
}

TEST_CASE("one group that is missing does not keep a consumer of many streams from the others") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server, "partitions=6");
    std::vector<broker::Outgoing> batch;
    for (int number = 0; number < 600; ++number) {
        batch.push_back({"key-" + std::to_string(number), {}, std::to_string(number)});
    }
    broker->publish("t", batch);
    for (const bool parallel : {false, true}) {
        const std::string group = parallel ? "p" : "o";
        const auto consumer = broker->subscribe({group, "c", {"t"}, parallel});
        if (!parallel) {
            test::claim_all(*consumer);
        }
        const Batch some = test::read_count(*consumer, 60, {60, 1u << 20});
        consumer->ack(some);
        server.command({"XGROUP", "DESTROY", "t.3", group});
        server.command({"XGROUP", "DESTROY", "t.5", group});
        std::multiset<std::string> seen = as_set(some);
        for (Batch got = consumer->read({}, 1s); !got.empty(); got = consumer->read({}, 0ms)) {
            consumer->ack(got);
            for (const auto &body : as_set(got)) {
                seen.insert(body);
            }
        }
        CHECK(std::set<std::string>(seen.begin(), seen.end()).size() == 600);
        if (!parallel) {
            CHECK(seen.size() == 600); // from where it was; sharing readers can only begin anew
        }
    }
}

TEST_CASE("a topic that is deleted and made again while it is read is read from its beginning as another one") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    for (const bool parallel : {false, true}) {
        server.command({"DEL", "t"});
        broker->publish("t", test::numbered(0, 5));
        const auto consumer = broker->subscribe({parallel ? "p" : "o", "c", {"t"}, parallel});
        if (!parallel) {
            test::claim_all(*consumer);
        }
        const Batch before = test::read_count(*consumer, 5);
        REQUIRE(before.size() == 5);
        auto waiting = std::async(std::launch::async, [&] { return test::read_count(*consumer, 3); });
        server.command({"DEL", "t"});
        broker->publish("t", test::numbered(100, 3));
        const Batch after = waiting.get();
        CHECK(test::bodies(after) == test::expected(100, 3));
        REQUIRE(!after.empty());
        CHECK(after.front()->incarnation != before.front()->incarnation);
        consumer->ack(before);
        CHECK(pending(server, "t", parallel ? "p" : "o") == "3");
        consumer->ack(after);
        CHECK(pending(server, "t", parallel ? "p" : "o") == "0");
    }
}

TEST_CASE("a stream keeps its incarnation through restarts, a lost last second, and a rename, and shows in no listing") {
    test::RedisServer server;
    add(server, 0, 3);
    const auto broker = test::open_redis(server);
    const auto incarnation = [&](const std::string &topic) { return test::subscribe(*broker, "c", false, topic)->incarnation({topic, 0}); };
    const std::string before = incarnation("t");
    server.restart();
    CHECK(incarnation("t") == before);
    server.command({"XGROUP", "DESTROY", "t", "weir.incarnation"}); // as if the server had lost it: the entries are the same
    CHECK(incarnation("t") == before);
    server.command({"RENAME", "t", "u"});
    CHECK(incarnation("u") == before);
    add(server, 0, 1);
    CHECK(incarnation("t") != before);
    for (const auto &topic : broker->topics()) {
        CHECK(topic.groups.empty());
    }
}

TEST_CASE("entries that the server gave to somebody else meanwhile come first, in order, and once") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 3));
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    Batch got = test::read_count(*consumer, 3);
    for (int round = 1; round <= 5; ++round) {
        const int from = 3 * round;
        broker->publish("t", test::numbered(from, 2));
        // A command that was on its way when its sender was taken over.
        server.command({"XREADGROUP", "GROUP", "g", "zombie-" + std::to_string(round), "COUNT", "2", "STREAMS", "t", ">"});
        broker->publish("t", test::numbered(from + 2, 1));
        const Batch more = test::read_count(*consumer, 3);
        CHECK(test::bodies(more) == test::expected(from, 3));
        got.insert(got.end(), more.begin(), more.end());
        CHECK(test::read_rest(*consumer).empty());
    }
    consumer->ack(got);
    CHECK(pending(server) == "0");
}

TEST_CASE("of two consumers that both believe to have a partition, the one with the later claim reads it") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 10));
    const auto first = test::subscribe(*broker, "c1");
    test::claim_all(*first);
    const Batch held = test::read_count(*first, 4, {4, 1u << 20});
    const auto second = test::subscribe(*broker, "c2");
    test::claim_all(*second);
    CHECK(test::bodies(test::read_count(*second, 10)) == test::expected(0, 10));
    std::multiset<std::string> seen;
    for (int round = 0; round < 20; ++round) { // the first goes on asking, and may even be given something
        broker->publish("t", test::numbered(10 + round, 1));
        first->read({}, 0ms);
        for (const auto &message : second->read({}, 1s)) {
            seen.insert(message->body);
        }
    }
    for (const auto &message : test::read_rest(*second)) {
        seen.insert(message->body);
    }
    CHECK(seen.size() == 20);
    CHECK(std::set<std::string>(seen.begin(), seen.end()).size() == 20);
    first->ack(held); // late: what it had committed before it was fenced
    first->release({"t", 0});
    const auto third = test::subscribe(*broker, "c3");
    test::claim_all(*third);
    CHECK(test::bodies(test::read_rest(*third)) == test::expected(4, 26));
}

TEST_CASE("an entry that is trimmed while it is pending becomes a refused message at its position, and can be acknowledged") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    for (const bool parallel : {false, true}) {
        server.command({"DEL", "t"});
        add(server, 0, 8);
        const auto reader = [&](const std::string &name) {
            auto consumer = broker->subscribe({"g", name, {"t"}, parallel});
            if (!parallel) {
                test::claim_all(*consumer);
            }
            return consumer;
        };
        Batch held;
        {
            const auto dead = reader("dead");
            held = test::read_count(*dead, 6, {6, 1u << 20});
        }
        REQUIRE(held.size() == 6);
        server.command({"XTRIM", "t", "MAXLEN", "=", "5"}); // 0, 1, 2 are gone
        server.command({"XDEL", "t", std::to_string(held[4]->position.high) + "-" + std::to_string(held[4]->position.low)});
        for (int crash = 0; crash < 3; ++crash) { // nobody forgets them, however often it dies before its dead letters are committed
            const auto consumer = reader("crash-" + std::to_string(crash));
            if (parallel) {
                consumer->renew(0ms);
            }
            CHECK(test::read_rest(*consumer).size() == 8);
        }
        const auto consumer = reader("last");
        if (parallel) {
            consumer->renew(0ms);
        }
        const Batch got = test::read_rest(*consumer);
        std::vector<broker::Position> lost;
        std::set<std::string> there;
        for (const auto &message : got) {
            if (message->lost) {
                lost.push_back(message->position);
                CHECK((message->body.empty() && message->fields.empty() && message->deliveries >= 2));
                const event::Contracts contracts;
                event::Binding binding;
                binding.topic = "t";
                const event::Event event = event::Decoder(binding, contracts).decode(message);
                REQUIRE(event.refusal);
                CHECK(event.refusal->type == "entry_trimmed");
            } else {
                there.insert(message->body);
            }
        }
        std::sort(lost.begin(), lost.end());
        CHECK(lost == std::vector<broker::Position>{held[0]->position, held[1]->position, held[2]->position, held[4]->position});
        if (!parallel) {
            CHECK(there == std::set<std::string>{"3", "5", "6", "7"});
            CHECK(std::is_sorted(got.begin(), got.end(),
                                 [](const auto &left, const auto &right) { return left->position < right->position; }));
        }
        consumer->ack(got);
        CHECK(pending(server) == "0");
        CHECK(test::read_rest(*reader("after")).empty());
    }
}

TEST_CASE("what another took comes first and in order, though a trimmed entry in hand was acknowledged by a host that is late") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 3));
    {
        const auto dead = test::subscribe(*broker, "dead");
        test::claim_all(*dead);
        REQUIRE(test::read_count(*dead, 2, {2, 1u << 20}).size() == 2);
    }
    server.command({"XTRIM", "t", "MAXLEN", "=", "1"}); // 0 and 1 are gone, and pending
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    Batch got = test::read_count(*consumer, 3);
    REQUIRE(got.size() == 3);
    CHECK((got[0]->lost && got[1]->lost && !got[2]->lost));
    for (int round = 0; round < 2; ++round) {
        const int from = 3 + 2 * round;
        const broker::Position lost = got[static_cast<std::size_t>(round)]->position;
        server.command({"XACK", "t", "g", std::to_string(lost.high) + "-" + std::to_string(lost.low)});
        broker->publish("t", test::numbered(from, 1));
        server.command({"XREADGROUP", "GROUP", "g", "zombie", "COUNT", "1", "STREAMS", "t", ">"});
        broker->publish("t", test::numbered(from + 1, 1));
        const Batch more = test::read_count(*consumer, 2);
        CHECK(test::bodies(more) == test::expected(from, 2));
        got.insert(got.end(), more.begin(), more.end());
    }
    CHECK(test::read_rest(*consumer).empty());
    consumer->ack(got);
    CHECK(pending(server) == "0");
}

TEST_CASE("trimmed entries in hand are handed out once, however often others' entries are looked through beside them") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 6));
    {
        const auto dead = test::subscribe(*broker, "dead");
        test::claim_all(*dead);
        REQUIRE(test::read_count(*dead, 6).size() == 6);
    }
    server.command({"XTRIM", "t", "MAXLEN", "=", "4"});
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    Batch got = test::read_count(*consumer, 6);
    REQUIRE(got.size() == 6);
    const auto id = [&](std::size_t at) { return std::to_string(got[at]->position.high) + "-" + std::to_string(got[at]->position.low); };
    // An entry that is in hand is taken by another and then removed; what is in hand stays there alone.
    server.command({"XCLAIM", "t", "g", "zombie", "0", id(3)});
    server.command({"XDEL", "t", id(3)});
    server.command({"XDEL", "t", id(4)}); // and one that is still ours
    for (int round = 0; round < 4; ++round) {
        broker->publish("t", test::numbered(6 + round, 1));
        const Batch more = test::read_count(*consumer, 1);
        CHECK(test::bodies(more) == test::expected(6 + round, 1));
        got.insert(got.end(), more.begin(), more.end());
        if (round == 1) {
            test::claim_all(*consumer); // everything pending is looked through once more
        }
        CHECK(test::read_rest(*consumer).empty());
    }
    // Whoever comes after a crash is given each of them once, and those that are gone as lost.
    const auto successor = test::subscribe(*broker, "after");
    test::claim_all(*successor);
    const Batch all = test::read_rest(*successor);
    CHECK(all.size() == 10);
    CHECK(std::count_if(all.begin(), all.end(), [](const auto &message) { return message->lost; }) == 4);
    consumer->ack(got);
    CHECK(pending(server) == "0");
}

TEST_CASE("what was fetched and not handed out when another claimed later comes again to a consumer that claims anew") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 5));
    {
        const auto dead = test::subscribe(*broker, "dead");
        test::claim_all(*dead);
        REQUIRE(test::read_count(*dead, 5).size() == 5);
    }
    server.command({"XTRIM", "t", "MAXLEN", "=", "2"}); // 0, 1, 2
    const auto first = test::subscribe(*broker, "c1");
    test::claim_all(*first);
    Batch got = test::read_count(*first, 1, {1, 1u << 20});
    REQUIRE(got.size() == 1); // it has fetched more than that
    {
        const auto second = test::subscribe(*broker, "c2");
        test::claim_all(*second);
        CHECK(test::read_count(*second, 5).size() == 5);
        CHECK(test::eventually([&] { return first->read({100, 1u << 20}, 10ms).empty(); })); // it has seen that it is not the latest
    }
    test::claim_all(*first);
    for (const auto &message : test::read_count(*first, 4)) {
        got.push_back(message);
    }
    REQUIRE(got.size() == 5);
    CHECK((got[0]->lost && got[1]->lost && got[2]->lost));
    CHECK((got[3]->body == "3" && got[4]->body == "4"));
    first->ack(got);
    CHECK(pending(server) == "0");
}
