// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/embedded/embedded_broker.hpp"
#include "engine/route_board.hpp"
#include "engine/supervisor.hpp"
#include "http/server.hpp"
#include "http_client.hpp"
#include "plugin/catalog.hpp"
#include "store/store.hpp"
#include "support.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace weir::test {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// Passes on to another broker, unless it is away; what is published to it may be held up on the way.
class AwayBroker final : public broker::Broker {
public:
    explicit AwayBroker(broker::Broker &real) : real_(real) {}
    void be_away(bool away) { away_ = away; }
    void hold(bool hold);
    /// Waits until so many calls of `publish` are held. @return whether they are
    bool holds(int calls) const;
    std::unique_ptr<broker::Consumer> subscribe(const broker::Subscription &subscription) override { return real_.subscribe(subscription); }
    void publish(const std::string &topic, std::span<const broker::Outgoing> messages) override;
    std::vector<broker::TopicInfo> topics() override { return real_.topics(); }
    std::vector<broker::Message> browse(const broker::Partition &partition, std::optional<broker::Position> after,
                                        std::size_t limit) override {
        return real_.browse(partition, after, limit);
    }
    std::string guarantee() const override { return real_.guarantee(); }

private:
    broker::Broker &real_;
    std::atomic<bool> away_{false};
    std::mutex mutex_;
    std::condition_variable released_;
    bool hold_ = false;
    std::atomic<int> held_{0};
};

/// Plugins served over HTTP on a free port, on a broker and a store of their own.
class Desk {
public:
    /// Whoever names it may use guarded routes; local addresses may not.
    static constexpr const char *kToken = "the-token-of-the-desk";

    /// @param plugins names of fixtures or of shipped plugins
    explicit Desk(const std::vector<std::string> &plugins = {"desk"});
    ~Desk();

    /// Loads a plugin's file, as the next generation of @param as where that is another's name, and waits until its domain has begun.
    void load(const std::string &plugin, const std::string &as = "");
    /// Only loads it.
    std::shared_ptr<const plugin::Module> module(const std::string &plugin, const std::string &as = "");
    HttpAnswer ask(const std::string &method, const std::string &target, const std::string &body = {}, Headers headers = {}) const;
    /// A note as GET shows it; empty where there is none.
    std::string note(const std::string &id) const;
    /// How many messages a topic holds.
    std::size_t published(const std::string &topic) const;
    bool ready(const std::string &domain) const;
    /// Why a domain isn't served.
    std::string reason(const std::string &domain) const;
    /// Why a domain that is served isn't served as is wanted now.
    std::string refused(const std::string &domain) const;

    TemporaryDirectory directory;
    std::unique_ptr<broker::EmbeddedBroker> real_broker;
    std::unique_ptr<AwayBroker> broker;
    std::unique_ptr<store::Store> store;
    event::Contracts contracts = event::Contracts::built_in();
    engine::EventBudget budget;
    engine::RouteBoard board;
    std::unique_ptr<engine::Supervisor> supervisor;
    std::unique_ptr<http::Server> server;
    std::uint16_t port = 0;

private:
    std::mutex mutex_;
    std::vector<std::string> problems_; // of the tables that were made
};

} // namespace weir::test
