// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/rebuild_feed.hpp"
#include "store/store.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::engine {

/// The broker as a worker on a shadow sees it: it reads from the feed, and what its handlers emit goes nowhere, for it was published when
/// the domain itself decided those events.
class ShadowBroker final : public broker::Broker {
public:
    ShadowBroker(broker::Broker &real, RebuildFeed &feed) : real_(real), feed_(feed) {}
    std::unique_ptr<broker::Consumer> subscribe(const broker::Subscription &) override { return feed_.consumer(); }
    void publish(const std::string &, std::span<const broker::Outgoing>) override {}
    std::vector<broker::TopicInfo> topics() override { return real_.topics(); }
    std::vector<broker::Message> browse(const broker::Partition &partition, std::optional<broker::Position> after,
                                        std::size_t limit) override {
        return real_.browse(partition, after, limit);
    }
    std::string guarantee() const override { return real_.guarantee(); }

private:
    broker::Broker &real_;
    RebuildFeed &feed_;
};

/// The store in which every domain is its shadow.
class ShadowStore final : public store::Store {
public:
    explicit ShadowStore(store::Store &real) : real_(real) {}
    std::unique_ptr<store::DomainStore> domain(const std::string &schema_name) override {
        return real_.domain(store::shadow_schema_name(schema_name));
    }
    bool has_domain(const std::string &schema_name) override { return real_.has_domain(store::shadow_schema_name(schema_name)); }
    std::string guarantee() const override { return real_.guarantee(); }

private:
    store::Store &real_;
};

/**
 * The lease on a shadow, so that one process makes it, and what that process has to remember beside the rows: with what the shadow is
 * made, and the floors of its passes. One thread.
 */
class ShadowKeeper {
public:
    /// @param shadow migrated
    explicit ShadowKeeper(store::DomainStore &shadow) : shadow_(shadow), session_(shadow.open()) {}
    ~ShadowKeeper();
    ShadowKeeper(const ShadowKeeper &) = delete;
    ShadowKeeper &operator=(const ShadowKeeper &) = delete;

    /// @return whether it is held now
    bool take(const std::string &holder);
    /// Puts the expiry off, where that is due. Throws Fenced.
    void renew();
    /// After an outage.
    void reopen();

    struct MadeWith {
        std::string fingerprint;
        bool from_what_is_kept = false;
    };
    std::optional<MadeWith> made_with();
    void save_made_with(const MadeWith &made_with);
    std::vector<store::StoredPosition> floors();
    void save_floors(std::vector<store::StoredPosition> floors);
    /// Events that the shadow has decided.
    std::uint64_t decided();
    store::LedgerCounts outcomes();

private:
    store::DomainStore &shadow_;
    std::unique_ptr<store::Session> session_;
    std::optional<store::Lease> lease_;
    std::chrono::steady_clock::time_point renew_at_;
};

} // namespace weir::engine
