// SPDX-License-Identifier: Apache-2.0
#include "contract_support.hpp"
#include "embedded_fixture.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace std::chrono_literals;
using broker::TopicOptions;

namespace {
std::uint64_t length(broker::Broker &broker) { return broker.topics().at(0).length; }

void acknowledge_all(broker::Broker &broker, const std::string &group) {
    const auto consumer = broker.subscribe({group, "c-" + group, {"t"}, false});
    test::claim_all(*consumer);
    consumer->ack(test::read_rest(*consumer));
}
} // namespace

TEST_CASE("max_messages clears away what every group is done with, and nothing else") {
    const test::TemporaryDirectory directory;
    const auto broker = broker::open_embedded_broker(test::embedded_options(directory));
    TopicOptions options;
    options.max_messages = 100;
    broker->configure_topic("t", options);
    const auto slow = broker->subscribe({"slow", "c", {"t"}, false});
    test::claim_all(*slow);
    broker->publish("t", test::numbered(0, 500));
    acknowledge_all(*broker, "quick");
    broker->publish("t", test::numbered(500, 1));
    CHECK(broker->trim() == 0);
    CHECK(length(*broker) == 501);
    const auto got = test::read_count(*slow, 300, {300, 1u << 20});
    slow->ack(std::span(got).subspan(0, 200));
    slow->ack(std::span(got).subspan(201)); // 200 is still out
    CHECK(broker->trim() == 200);
    CHECK(length(*broker) == 301);
    CHECK(broker->browse({"t", 0}, std::nullopt, 1).at(0).body == "200");
    slow->ack(std::span(got).subspan(200, 1));
    const auto rest = test::read_rest(*slow);
    CHECK(rest.front()->body == "300");
    slow->ack(rest);
    acknowledge_all(*broker, "quick");
    CHECK(broker->trim() == 201);
    CHECK(length(*broker) == 100);
    acknowledge_all(*broker, "late"); // a new group begins with what is kept
    const auto lag = slow->lag();
    CHECK(lag.at(0).length == 100);
    CHECK(lag.at(0).backlog == 0);
}

TEST_CASE("publishing keeps the limits by itself, a little at a time") {
    const test::TemporaryDirectory directory;
    const auto broker = broker::open_embedded_broker(test::embedded_options(directory));
    TopicOptions options;
    broker->configure_topic("t", options);
    broker->publish("t", test::numbered(0, 3000));
    options.max_messages = 50;
    broker->configure_topic("t", options);
    broker->publish("t", test::numbered(3000, 10));
    CHECK(length(*broker) > 2900); // no long transaction for a limit that was lowered
    for (int sent = 3010; sent < 6010; sent += 100) {
        broker->publish("t", test::numbered(sent, 100));
    }
    CHECK(length(*broker) <= 150);
    CHECK(broker->trim() > 0);
    CHECK(length(*broker) == 50);
    CHECK(broker->browse({"t", 0}, std::nullopt, 1).at(0).body == "5960");
}

TEST_CASE("max_age clears away old messages that are acknowledged") {
    const test::TemporaryDirectory directory;
    const auto broker = broker::open_embedded_broker(test::embedded_options(directory));
    TopicOptions options;
    options.max_age = 1h;
    broker->configure_topic("t", options);
    broker->publish("t", test::numbered(0, 10));
    acknowledge_all(*broker, "g");
    CHECK(broker->trim() == 0);
    options.max_age = 1ms;
    broker->configure_topic("t", options);
    CHECK(test::eventually([&] { return broker->trim() > 0; }));
    CHECK(length(*broker) == 0);
    broker->publish("t", test::numbered(10, 1)); // positions go on
    CHECK(broker->browse({"t", 0}, std::nullopt, 1).at(0).position.high == 11);
}

TEST_CASE("where max_bytes can't be kept without losing messages, publishing is refused until the group has caught up") {
    const test::TemporaryDirectory directory;
    const auto broker = broker::open_embedded_broker(test::embedded_options(directory));
    TopicOptions options;
    options.max_bytes = 10000;
    broker->configure_topic("t", options);
    const std::vector<broker::Outgoing> tenth(1, broker::Outgoing{"", {}, std::string(1000, 'x')});
    const auto consumer = broker->subscribe({"laggard", "c", {"t"}, false});
    test::claim_all(*consumer);
    for (int sent = 0; sent < 10; ++sent) {
        broker->publish("t", tenth);
    }
    try {
        broker->publish("t", tenth);
        FAIL("an eleventh message was taken");
    } catch (const broker::Unavailable &error) {
        CHECK_THAT(error.what(), Catch::Contains("max_bytes=10000") && Catch::Contains("laggard"));
    }
    CHECK(length(*broker) == 10);
    const auto got = test::read_rest(*consumer);
    consumer->ack(std::span(got).first(1));
    broker->publish("t", tenth);
    CHECK_THROWS_AS(broker->publish("t", tenth), broker::Unavailable);
    CHECK(length(*broker) == 10);
    CHECK_THROWS_AS(broker->publish("t", std::vector(11, tenth[0])), broker::Misconfigured);
}

TEST_CASE("a topic's number of partitions can't change, and names that can't be are refused") {
    const test::TemporaryDirectory directory;
    const auto broker = broker::open_embedded_broker(test::embedded_options(directory));
    TopicOptions options;
    options.partitions = 3;
    broker->configure_topic("t", options);
    options.partitions = 4;
    CHECK_THROWS_WITH(broker->configure_topic("t", options), Catch::Contains("partitions=3"));
    options.partitions = 0;
    CHECK_THROWS_AS(broker->configure_topic("u", options), broker::Misconfigured);
    CHECK_THROWS_AS(broker->publish("", test::numbered(0, 1)), broker::Misconfigured);
    CHECK_THROWS_AS(broker->publish(std::string(300, 'x'), test::numbered(0, 1)), broker::Misconfigured);
    CHECK(broker->topics().size() == 1);
    CHECK_FALSE(broker->drop_topic("u"));
    CHECK_FALSE(broker->drop_group("t", "nobody"));
}

TEST_CASE("dropping a topic removes its messages and leaves its neighbours alone") {
    const test::TemporaryDirectory directory;
    const auto broker = broker::open_embedded_broker(test::embedded_options(directory));
    broker->publish("before", test::numbered(0, 10));
    broker->publish("t", test::numbered(0, 3500));
    broker->publish("after", test::numbered(0, 20));
    CHECK(broker->drop_topic("t"));
    CHECK(broker->browse({"before", 0}, std::nullopt, 100).size() == 10);
    CHECK(broker->browse({"after", 0}, std::nullopt, 100).size() == 20);
    const auto size = std::filesystem::file_size(directory / "broker.db");
    broker->publish("t", test::numbered(0, 3000)); // fills the pages that became free
    CHECK(broker->trim() == 0);
    CHECK(std::filesystem::file_size(directory / "broker.db") <= size + (1u << 16));
}

TEST_CASE("a running reader follows a topic that is dropped and made again, and a group that is removed") {
    const test::TemporaryDirectory directory;
    const auto broker = broker::open_embedded_broker(test::embedded_options(directory));
    broker->publish("t", test::numbered(0, 5));
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    const auto got = test::read_count(*consumer, 5);
    consumer->ack(std::span(got).first(2));
    REQUIRE(broker->drop_group("t", "g"));
    broker->publish("t", test::numbered(5, 1));
    CHECK(test::bodies(test::read_rest(*consumer)) == test::expected(5, 1));
    CHECK(consumer->lag().at(0).pending == 4); // what is in hand is pending again
    REQUIRE(broker->drop_topic("t"));
    CHECK(test::read_rest(*consumer).empty());
    CHECK(consumer->lag().empty());
    broker->publish("t", test::numbered(100, 3));
    const auto fresh = test::read_count(*consumer, 3);
    CHECK(test::bodies(fresh) == test::expected(100, 3));
    consumer->ack(got);
    CHECK(consumer->lag().at(0).pending == 3);
    consumer->ack(fresh);
    CHECK(consumer->lag().at(0).pending == 0);
}
