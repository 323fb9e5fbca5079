// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/domain.hpp"
#include "engine/wakeup.hpp"
#include "store/store.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

namespace weir::engine {

/**
 * Publishes what a domain's handlers emitted, after its commit: at least once, in the order of the commits. Of several hosts the holder of
 * the relay's lease does it. An entry leaves the outbox when the broker has it; a crash between the two publishes it again, under the same
 * event id.
 */
class OutboxRelay {
public:
    /// @param spec, store, broker outlive this
    OutboxRelay(const DomainSpec &spec, store::DomainStore &store, broker::Broker &broker);
    /// Publishes what is there, where broker and store answer, then stops.
    ~OutboxRelay();
    OutboxRelay(const OutboxRelay &) = delete;
    OutboxRelay &operator=(const OutboxRelay &) = delete;

    /// Something was emitted and committed. Any thread.
    void ring() {
        ++rung_;
        bell_.ring();
    }
    /// Whether the outbox was found empty since the last ring. Any thread.
    bool idle() const { return done_ == rung_; }
    /// Why it can't publish, while it can't; else empty. Any thread.
    std::string error() const;

private:
    void loop();
    bool hold_lease(store::Session &session);
    std::size_t publish_some(store::Session &session);
    void publish_stretch(store::Session &session, std::span<store::OutboxEntry> entries);
    void say(const std::string &error);

    const DomainSpec &spec_;
    store::DomainStore &store_;
    broker::Broker &broker_;
    Wakeup bell_;
    std::optional<store::Lease> lease_; // the thread's own
    std::chrono::steady_clock::time_point renew_at_;
    bool publishing_ = false; // the thread's own
    mutable std::mutex mutex_;
    std::string error_;
    std::atomic<std::uint64_t> rung_{1}; // how often there was something to publish; the first time at the start
    std::atomic<std::uint64_t> done_{0}; // the ring after which everything was published
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

} // namespace weir::engine
