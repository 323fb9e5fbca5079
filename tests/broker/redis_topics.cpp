// SPDX-License-Identifier: Apache-2.0
// Topics as streams: partitions, what is kept, what is counted.
#include "broker/partitioner.hpp"
#include "contract_support.hpp"
#include "redis_fixture.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>

namespace {
using namespace weir;
using namespace std::chrono_literals;

int length(const test::RedisServer &server, const std::string &key) { return std::stoi(server.command({"XLEN", key})); }

/// What is told of lost messages where the server counts what was ever added to a stream, as it does since Redis 7.
std::optional<std::uint64_t> told(const test::RedisServer &server, std::uint64_t lost) {
    const bool counts = server.command({"XINFO", "STREAM", "t"}).find("entries-added") != std::string::npos;
    return counts ? std::optional(lost) : std::nullopt;
}
} // namespace

TEST_CASE("a topic of several partitions is streams topic.0 to topic.n-1, made at once, with keys where Kafka's clients put them") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server, "partitions=4");
    CHECK(!broker->has_topic("t"));
    broker->publish("t", test::numbered(0, 1, "some-key"));
    CHECK(broker->has_topic("t"));
    for (std::uint32_t number = 0; number < 4; ++number) {
        CHECK(length(server, "t." + std::to_string(number)) == (number == broker::partition_of("some-key", 4) ? 1 : 0));
    }
    CHECK(server.command({"EXISTS", "t"}) == "0");
    // Another host with another setting goes by what is there.
    const auto other = test::open_redis(server, "partitions=8");
    for (int number = 0; number < 200; ++number) {
        other->publish("t", std::vector<broker::Outgoing>{{"key-" + std::to_string(number), {}, "x"}});
    }
    int total = 0;
    for (int number = 0; number < 4; ++number) {
        total += length(server, "t." + std::to_string(number));
    }
    CHECK(total == 201);
    CHECK(server.command({"EXISTS", "t.4"}) == "0");
    const auto topics = broker->topics();
    REQUIRE(topics.size() == 1);
    CHECK((topics[0].topic == "t" && topics[0].partitions == 4 && topics[0].length == 201));
}

TEST_CASE("partitions that others make are found, with gaps, and more than a window of them") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    const auto consumer = test::subscribe(*broker, "c");
    CHECK(consumer->partitions().empty());
    server.command({"XADD", "t.1", "*", "event", "1"});
    server.command({"XADD", "t.5", "*", "event", "1"});
    CHECK(consumer->partitions() == std::vector<broker::Partition>{{"t", 1}, {"t", 5}});
    for (const char *foreign : {"t.x", "t.01", "t.1.2", "t.", "t.4096"}) {
        server.command({"XADD", foreign, "*", "event", "1"});
    }
    CHECK(consumer->partitions().size() == 2);
    for (int number = 0; number < 130; ++number) {
        server.command({"XADD", "many." + std::to_string(number), "*", "event", std::to_string(number)});
    }
    const auto many = test::subscribe(*broker, "c", false, "many");
    CHECK(many->partitions().size() == 130);
    test::claim_all(*many);
    std::set<std::string> seen;
    for (const auto &message : test::read_count(*many, 130)) {
        seen.insert(message->body);
    }
    CHECK(seen.size() == 130);
    broker->publish("t", test::numbered(0, 1, "k")); // fills the gaps, so that the key has its partition for good
    CHECK(consumer->partitions().size() == 6);
}

TEST_CASE("a stream that is deleted between two publishes is made again, and every message of a batch is there once") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server, "partitions=3");
    std::vector<broker::Outgoing> batch;
    for (int number = 0; number < 300; ++number) {
        batch.push_back({"key-" + std::to_string(number), {}, std::to_string(number)});
    }
    broker->publish("t", batch);
    server.command({"DEL", "t.1"});
    const int kept = length(server, "t.0") + length(server, "t.2");
    broker->publish("t", batch);
    CHECK(length(server, "t.0") + length(server, "t.2") == 2 * kept);
    CHECK(length(server, "t.1") == 300 - kept);
    broker->publish("one", std::vector<broker::Outgoing>{{"", {}, "1"}});
    server.command({"DEL", "t.0", "t.1", "t.2"});
    broker->publish("t", std::span(batch).first(1));
    CHECK(length(server, "t.0") + length(server, "t.1") + length(server, "t.2") == 1);
}

TEST_CASE("max_messages removes what all groups have acknowledged, and nothing else") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server, "max_messages=500");
    const auto slow = broker->subscribe({"slow", "c", {"t"}, false});
    broker->publish("t", test::numbered(0, 1));
    test::claim_all(*slow);
    const auto first = test::read_count(*slow, 1);
    for (int batch = 0; batch < 5; ++batch) {
        broker->publish("t", test::numbered(1 + 1000 * batch, 1000));
    }
    broker->maintain();
    CHECK(length(server, "t") == 5001); // one is pending
    slow->ack(first);
    auto got = test::read_count(*slow, 3000, {1000, 1u << 20});
    slow->ack(std::span(got).first(2500));
    broker->maintain();
    CHECK(length(server, "t") <= 2500 + 100); // 2,500 are pending or not yet delivered; a node holds a hundred
    CHECK(length(server, "t") >= 2500);
    slow->ack(got);
    got = test::read_rest(*slow);
    CHECK(got.size() == 2000);
    slow->ack(got);
    broker->maintain();
    CHECK((length(server, "t") >= 500 && length(server, "t") <= 600));
    CHECK(broker->lost({"t", 0}) == told(server, 5001u - static_cast<unsigned>(length(server, "t"))));
    // Without any group nobody waits.
    server.command({"XGROUP", "DESTROY", "t", "slow"});
    broker->publish("t", test::numbered(0, 1000));
    broker->maintain();
    CHECK((length(server, "t") >= 500 && length(server, "t") <= 600));
}

TEST_CASE("trim=always holds the limits whether groups have read or not, and max_age goes by the server's clock") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server, "max_messages=300&trim=always");
    broker->publish("t", test::numbered(0, 1));
    const auto group = broker->subscribe({"slow", "c", {"t"}, false});
    test::claim_all(*group);
    broker->publish("t", test::numbered(1, 3000));
    CHECK(length(server, "t") <= 400);
    const auto aging = test::open_redis(server, "max_age_s=3600");
    for (int number = 0; number < 250; ++number) {
        server.command({"XADD", "old", "1700000000000-" + std::to_string(number), "event", "x"});
    }
    aging->publish("old", test::numbered(0, 100));
    aging->maintain();
    CHECK((length(server, "old") >= 100 && length(server, "old") < 200));
}

TEST_CASE("what is not counted by the server is counted here, and said to be zero only where it is") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    for (int number = 0; number < 3000; ++number) {
        server.command({"XADD", "t", std::to_string(1700000000000 + number) + "-0", "event", "x"});
    }
    // A group in the middle: Redis 7 knows no lag of it.
    server.command({"XGROUP", "CREATE", "t", "middle", "1700000001499-0"});
    server.command({"XGROUP", "CREATE", "t", "late", "1700000002899-0"});
    server.command({"XGROUP", "CREATE", "t", "end", "1700000002999-0"});
    server.command({"XDEL", "t", "1700000002000-0"});
    std::map<std::string, std::uint64_t> backlog;
    const auto topics = broker->topics();
    for (const auto &group : topics.at(0).groups) {
        backlog[group.group] = group.backlog;
    }
    CHECK((backlog["middle"] > 1300 && backlog["middle"] < 1700));
    CHECK(backlog["late"] == 100);
    CHECK(backlog["end"] == 0);
}

TEST_CASE("the guarantee says what the server's settings keep") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    using Catch::Contains;
    CHECK_THAT(broker->guarantee(), Contains("everysec"));
    server.command({"CONFIG", "SET", "appendfsync", "always"});
    CHECK_THAT(broker->guarantee(), Contains("on the disk before"));
    server.command({"CONFIG", "SET", "appendonly", "no"});
    server.command({"CONFIG", "SET", "save", ""});
    CHECK_THAT(broker->guarantee(), Contains("loses all"));
    server.command({"CONFIG", "SET", "save", "60 1"});
    CHECK_THAT(broker->guarantee(), Contains("snapshot"));
    server.command({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
    CHECK_THAT(broker->guarantee(), Contains("noeviction"));
}

TEST_CASE("tail finds the newest messages, and browsing goes by pages") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    CHECK(broker->newest({"t", 0}, 5).empty());
    broker->publish("t", test::numbered(0, 2500));
    const auto newest = broker->newest({"t", 0}, 1200);
    REQUIRE(newest.size() == 1200);
    CHECK((newest.front().body == "1300" && newest.back().body == "2499"));
    CHECK(broker->newest({"t", 0}, 5000).size() == 2500);
    CHECK(broker->newest({"t", 1}, 5).empty());
    CHECK(broker->browse({"t", 0}, std::nullopt, 2400).back().body == "2399");
    CHECK(broker->lost({"t", 0}) == told(server, 0));
    server.command({"XTRIM", "t", "MAXLEN", "=", "100"});
    CHECK(broker->lost({"t", 0}) == told(server, 2400));
}
