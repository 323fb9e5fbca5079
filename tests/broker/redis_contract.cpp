// SPDX-License-Identifier: Apache-2.0
#include "broker_contract.hpp"
#include "redis_fixture.hpp"

#include <catch2/catch.hpp>

namespace {
using namespace weir;

class RedisFixture : public test::BrokerFixture {
public:
    explicit RedisFixture(test::RedisServer &server) : server_(server) { server_.command({"FLUSHALL"}); }
    test::BrokerCapabilities capabilities() const override { return {}; }
    std::unique_ptr<broker::Broker> open() override { return test::open_redis(server_); }
    void make_topic(const std::string &topic, std::uint32_t partitions) override {
        for (std::uint32_t number = 0; number < partitions; ++number) {
            const std::string key = partitions == 1 ? topic : topic + "." + std::to_string(number);
            server_.command({"XGROUP", "CREATE", key, "made", "0", "MKSTREAM"});
            server_.command({"XGROUP", "DESTROY", key, "made"});
        }
    }
    void drop_topic(const std::string &topic) override {
        server_.command({"DEL", topic});
        for (int number = 0; number < 8; ++number) {
            server_.command({"DEL", topic + "." + std::to_string(number)});
        }
    }
    void drop_group(const std::string &topic, const std::string &group) override { server_.command({"XGROUP", "DESTROY", topic, group}); }

private:
    test::RedisServer &server_;
};
} // namespace

TEST_CASE("Redis keeps the contract of brokers") {
    static test::RedisServer server;
    for (const auto &promise : test::broker_contract()) {
        DYNAMIC_SECTION(promise.sentence) {
            RedisFixture fixture(server);
            REQUIRE(promise.applies(fixture.capabilities()));
            promise.check(fixture);
        }
    }
}
