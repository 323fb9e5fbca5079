// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"

#include <functional>
#include <memory>
#include <utility>

namespace weir::test {

/// A broker that hands everything on to another, and tells before its consumers acknowledge.
class WatchedBroker final : public broker::Broker {
public:
    using Messages = std::span<const std::shared_ptr<const event::Message>>;

    /// @param broker outlives this
    /// @param before_ack called on the thread that acknowledges; it may block or throw
    WatchedBroker(broker::Broker &broker, std::function<void(Messages)> before_ack) : broker_(broker), before_ack_(std::move(before_ack)) {}

    std::unique_ptr<broker::Consumer> subscribe(const broker::Subscription &subscription) override {
        return std::make_unique<Consumer>(*this, broker_.subscribe(subscription));
    }
    void publish(const std::string &topic, std::span<const broker::Outgoing> messages) override { broker_.publish(topic, messages); }
    std::vector<broker::TopicInfo> topics() override { return broker_.topics(); }
    std::vector<event::Message> browse(const broker::Partition &partition, std::optional<broker::Position> after,
                                       std::size_t limit) override {
        return broker_.browse(partition, after, limit);
    }
    std::string guarantee() const override { return broker_.guarantee(); }

private:
    class Consumer final : public broker::Consumer {
    public:
        Consumer(const WatchedBroker &watching, std::unique_ptr<broker::Consumer> consumer)
            : watching_(watching), consumer_(std::move(consumer)) {}
        std::vector<broker::Partition> partitions() override { return consumer_->partitions(); }
        std::string incarnation(const broker::Partition &partition) override { return consumer_->incarnation(partition); }
        void claim(const broker::Partition &partition, std::optional<broker::Position> stored) override {
            consumer_->claim(partition, stored);
        }
        void release(const broker::Partition &partition) override { consumer_->release(partition); }
        std::vector<std::shared_ptr<const event::Message>> read(const broker::ReadLimits &limits, std::chrono::milliseconds wait) override {
            return consumer_->read(limits, wait);
        }
        void ack(Messages messages) override {
            watching_.before_ack_(messages);
            consumer_->ack(messages);
        }
        void renew(std::chrono::milliseconds idle) override { consumer_->renew(idle); }
        std::vector<broker::Done> done() override { return consumer_->done(); }
        std::vector<broker::PartitionLag> lag() override { return consumer_->lag(); }
        void wake() override { consumer_->wake(); }

    private:
        const WatchedBroker &watching_;
        std::unique_ptr<broker::Consumer> consumer_;
    };

    broker::Broker &broker_;
    std::function<void(Messages)> before_ack_;
};

} // namespace weir::test
