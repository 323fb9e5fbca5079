// SPDX-License-Identifier: Apache-2.0
// Parallel domains on Redis: leases that are renewed, entries that are removed meanwhile, groups that are lost.
#include "contract_support.hpp"
#include "redis_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

namespace {
using namespace weir;
using namespace std::chrono_literals;
using test::Batch;

std::string pending(const test::RedisServer &server) {
    const std::string summary = server.command({"XPENDING", "t", "g"});
    return summary.substr(0, summary.find('\n'));
}

std::string id_of(const broker::Position &position) { return std::to_string(position.high) + "-" + std::to_string(position.low); }

std::set<std::string> as_set(const std::vector<std::string> &bodies) { return {bodies.begin(), bodies.end()}; }

/// What has come of the stream when `count` messages, or nothing for a while, have.
std::vector<std::string> sorted_bodies(const Batch &batch) {
    auto all = test::bodies(batch);
    std::sort(all.begin(), all.end(), [](const auto &a, const auto &b) { return std::stoi(a) < std::stoi(b); });
    return all;
}
} // namespace

TEST_CASE("renewing a lease forgets no entry that is removed from the stream meanwhile") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 6));
    {
        const auto killed = test::subscribe(*broker, "c1", true);
        const Batch held = test::read_count(*killed, 6);
        REQUIRE(held.size() == 6);
        server.command({"XDEL", "t", id_of(held[3]->position)});
        for (int round = 0; round < 3; ++round) {
            killed->renew(0ms);
            CHECK(pending(server) == "6");
        }
    }
    const auto successor = test::subscribe(*broker, "c2", true);
    successor->renew(0ms);
    const Batch got = test::read_rest(*successor);
    CHECK(got.size() == 6);
    CHECK(std::count_if(got.begin(), got.end(), [](const auto &message) { return message->lost; }) == 1);
    successor->ack(got);
    CHECK(pending(server) == "0");
}

TEST_CASE("renewing a lease asks who is in the group only where somebody has had an entry for long") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 20));
    const auto one = test::subscribe(*broker, "c1", true);
    const auto other = test::subscribe(*broker, "c2", true);
    REQUIRE(test::read_count(*one, 10, {10, 1u << 20}).size() == 10);
    REQUIRE(test::read_count(*other, 10, {10, 1u << 20}).size() == 10);
    const auto asked = [&] {
        const std::string all = server.command({"INFO", "commandstats"});
        const auto at = all.find("cmdstat_xinfo|consumers:calls=");
        return at == std::string::npos ? 0 : std::stoi(all.substr(at + std::string("cmdstat_xinfo|consumers:calls=").size()));
    };
    const int before = asked();
    for (int round = 0; round < 3; ++round) {
        one->renew(1h);
        other->renew(1h);
    }
    CHECK(asked() == before);
    CHECK(test::eventually([&] { // as soon as the other's are old
        one->renew(1ms);
        return asked() > before;
    }));
}

TEST_CASE("what a reader of another program leaves idle is taken by its own age, though that reader goes on asking") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 3));
    const auto consumer = test::subscribe(*broker, "c1", true);
    const auto ask = [&](const std::string &from) {
        server.command({"XREADGROUP", "GROUP", "g", "another~program", "COUNT", "3", "STREAMS", "t", from});
    };
    consumer->partitions(); // makes the group
    ask(">");
    Batch got;
    CHECK(test::eventually([&] {
        ask(">");
        consumer->renew(200ms);
        const Batch more = test::read_rest(*consumer);
        got.insert(got.end(), more.begin(), more.end());
        return got.size() >= 3;
    }));
    CHECK(sorted_bodies(got) == test::expected(0, 3));
}

TEST_CASE("a parallel group that is lost goes on behind what all its readers had done, and gives everything else once more") {
    const test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 20));
    const auto one = test::subscribe(*broker, "c1", true);
    const auto other = test::subscribe(*broker, "c2", true);
    CHECK(one->done().empty());
    const Batch first = test::read_count(*one, 10, {10, 1u << 20});
    const Batch second = test::read_count(*other, 5, {5, 1u << 20});
    REQUIRE(first.size() == 10);
    REQUIRE(second.size() == 5);
    one->ack(std::span(first).first(8));
    other->ack(second);
    const auto done = one->done();
    REQUIRE(done.size() == 1);
    CHECK(done[0].incarnation == first[0]->incarnation);
    CHECK(done[0].through >= first[7]->position);
    CHECK(done[0].through < first[8]->position); // though others behind it are done

    SECTION("while it is read") {
        server.command({"XGROUP", "DESTROY", "t", "g"});
        Batch got;
        CHECK(test::eventually([&] {
            for (const auto &reader : {one.get(), other.get()}) {
                const Batch more = reader->read({100, 1u << 20}, 10ms);
                got.insert(got.end(), more.begin(), more.end());
            }
            const auto all = as_set(test::bodies(got));
            const auto wanted = test::expected(15, 5);
            return std::all_of(wanted.begin(), wanted.end(), [&](const auto &body) { return all.contains(body); });
        }));
        for (const auto &message : got) {
            CHECK(message->position >= first[8]->position);
        }
    }
    SECTION("while nobody reads it, from what the store has kept") {
        server.command({"XGROUP", "DESTROY", "t", "g"});
        const auto successor = broker->subscribe({"g", "c3", {"t"}, true, done});
        CHECK(test::bodies(test::read_rest(*successor)) == test::expected(8, 12));
    }
    SECTION("and where the store has kept nothing, or that of another stream, from the beginning") {
        server.command({"XGROUP", "DESTROY", "t", "g"});
        auto another = done;
        another[0].incarnation = "another";
        const auto successor = broker->subscribe({"g", "c3", {"t"}, true, another});
        CHECK(test::bodies(test::read_rest(*successor)) == test::expected(0, 20));
    }
    SECTION("and when everything is acknowledged, behind all of it") {
        const Batch rest = test::read_count(*one, 5);
        one->ack(std::span(first).subspan(8));
        one->ack(rest);
        REQUIRE(one->done().size() == 1);
        CHECK(one->done()[0].through == rest.back()->position);
    }
}

TEST_CASE("who may not ask for two things at one moment is told of no position that is done, and reads all the same") {
    test::RedisOptions options;
    options.acl = "user default on nopass ~* &* +@all\nuser reader on >secret ~* &* +@all -multi";
    const test::RedisServer server(options);
    test::open_redis(server)->publish("t", test::numbered(0, 3));
    const auto broker = broker::open_redis_broker(test::redis_options(server.url("reader", "secret")));
    const auto consumer = test::subscribe(*broker, "c", true);
    const Batch got = test::read_count(*consumer, 3);
    CHECK(got.size() == 3);
    consumer->ack(got);
    consumer->renew(1s);
    CHECK(consumer->done().empty());
    CHECK(pending(server) == "0");
}
