// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/request_keys.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weir::engine {

/**
 * Publishes what routes publish, many requests at a time: first the keys of all that have one are noted in one transaction, then their
 * events go to the broker, then they are answered. A thread of its own, from the first request on. Thread-safe.
 */
class PublishQueue {
public:
    struct Item {
        event::Uuid id;                         ///< of the request
        std::optional<event::Uuid> fingerprint; ///< under an Idempotency-Key
        std::vector<store::OutboxEntry> events;
        RouteAnswer answer;
        std::function<void(RouteAnswer)> done;
    };

    /// @param request_table its place in the schema that `store` was migrated to. All outlive this
    PublishQueue(const DomainSpec &spec, store::DomainStore &store, std::uint32_t request_table, broker::Broker &broker);
    ~PublishQueue() = default; ///< after `stop`
    PublishQueue(const PublishQueue &) = delete;
    PublishQueue &operator=(const PublishQueue &) = delete;

    /// Takes a request; one too many, or one after `stop`, is answered with 503 at once.
    /// @param owner of this queue and of what it refers to: the thread keeps it until it ends
    void push(Item item, const std::shared_ptr<const void> &owner);

    /// Works off what waits and takes nothing more. Called on the queue's own thread, where the last request was the last to hold its
    /// owner, it returns before that.
    void stop();

private:
    void loop();
    void work_off(std::vector<Item> items);
    void note_keys(std::vector<Item> &items);
    void note_keys_once(std::vector<Item> &items);
    void publish(std::vector<Item> &items);
    void forget_old();
    void say(const std::string &what, const std::string &reason);

    const DomainSpec &spec_;
    store::DomainStore &store_;
    const std::uint32_t request_table_;
    broker::Broker &broker_;
    std::unique_ptr<store::Session> session_; // the thread's own
    std::chrono::steady_clock::time_point forget_at_;
    bool said_ = false; // the thread's own: that something is away, until it is there again
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Item> waiting_;
    bool stop_ = false;
    std::thread thread_;
};

} // namespace weir::engine
