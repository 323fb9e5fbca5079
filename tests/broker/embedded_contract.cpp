// SPDX-License-Identifier: Apache-2.0
#include "broker_contract.hpp"
#include "embedded_fixture.hpp"

#include <catch2/catch.hpp>

namespace {
using namespace weir;

class EmbeddedFixture : public test::BrokerFixture {
public:
    test::BrokerCapabilities capabilities() const override { return {}; }
    std::unique_ptr<broker::Broker> open() override { return open_embedded(); }
    void make_topic(const std::string &topic, std::uint32_t partitions) override {
        broker::TopicOptions options;
        options.partitions = partitions;
        open_embedded()->configure_topic(topic, options);
    }
    void drop_topic(const std::string &topic) override { open_embedded()->drop_topic(topic); }
    void drop_group(const std::string &topic, const std::string &group) override { open_embedded()->drop_group(topic, group); }

private:
    std::unique_ptr<broker::EmbeddedBroker> open_embedded() { return broker::open_embedded_broker(test::embedded_options(directory_)); }
    test::TemporaryDirectory directory_;
};
} // namespace

TEST_CASE("the embedded broker keeps the contract of brokers") {
    for (const auto &promise : test::broker_contract()) {
        DYNAMIC_SECTION(promise.sentence) {
            EmbeddedFixture fixture;
            REQUIRE(promise.applies(fixture.capabilities()));
            promise.check(fixture);
        }
    }
}
