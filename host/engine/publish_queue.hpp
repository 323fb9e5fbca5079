// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/request_keys.hpp"
#include "engine/route_transaction.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace weir::engine {

/**
 * Publishes what routes publish, many requests at a time: first the keys of all that have one are noted in one transaction, then their
 * events go to the broker, then they are answered, each by what became of its own. A thread of its own, from the first request on.
 * Thread-safe.
 */
class PublishQueue {
public:
    using Clock = std::chrono::steady_clock;

    struct Item {
        event::Uuid id;                         ///< of the request
        std::optional<event::Uuid> fingerprint; ///< under an Idempotency-Key
        std::vector<store::OutboxEntry> events;
        RouteAnswer answer;
        std::optional<Clock::time_point> deadline; ///< what is not being published by then is dropped
        std::function<void(RouteAnswer)> done;
    };

    /// @param request_table its place in the schema of `sessions`. All outlive this
    PublishQueue(const DomainSpec &spec, RouteSessions &sessions, std::uint32_t request_table, broker::Broker &broker);
    /// Ends at once, and waits for its thread: what is being published now, and no more. Not on its own thread.
    ~PublishQueue();
    PublishQueue(const PublishQueue &) = delete;
    PublishQueue &operator=(const PublishQueue &) = delete;

    /// Takes a request; one too many, or one after the end, is answered with 503 at once.
    void push(Item item);

    /// Works off what waits, and what still comes, until then; what is left is answered with 503. Doesn't wait for that.
    void end_by(Clock::time_point when);

private:
    void loop();
    void work_off(std::vector<Item> items);
    void note_keys(std::span<Item> items);
    void note_refused(std::span<Item> items, const std::string &reason);
    void note_keys_once(std::span<Item> items);
    void publish(std::vector<Item> &items);
    void say(const std::string &of, const std::string &what, const std::string &reason);

    const DomainSpec &spec_;
    RouteSessions &sessions_;
    const std::uint32_t request_table_;
    broker::Broker &broker_;
    std::unique_ptr<store::Session> session_; // the thread's own
    std::set<std::string> said_;              // the thread's own: topics, and "" for the store, that are away, until they are there again
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Item> waiting_;
    Clock::time_point end_at_ = Clock::time_point::max();
    std::thread thread_;
};

} // namespace weir::engine
