// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/work.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::engine {

/**
 * Holds back the keys that wait: an event that is to be retried, or whose handler is overdue, and behind it every later event of its key,
 * in order. In a parallel domain events have no key: each waits for itself alone, and its copies with it. Not thread-safe.
 */
class KeyGate {
public:
    using Clock = std::chrono::steady_clock;

    /// The event is to run again at `when`. It becomes, or stays, the head of its key.
    void wait_until(const WorkPtr &work, Clock::time_point when);
    /// The event's handler is overdue: nothing of its key runs until `returned`.
    void wait_for_handler(const WorkPtr &work);
    /// The overdue handler of this event has returned: it can be taken now.
    void returned(const WorkPtr &work);
    /// Gives up on all overdue handlers: their events run again, as if they had returned nothing.
    void give_up_handlers();

    /// Takes an event behind the head of its key, where its key is held; false where it is free to run.
    bool hold(const WorkPtr &work);
    /// Whether its key is held.
    bool holds(const Work &work) const { return !held_.empty() && held_.contains(key_of(work)); }
    /// Keeps a copy of an event that waits: behind it, or, where its key is another, until `when`.
    void wait_with(const WorkPtr &copy, const WorkPtr &first, Clock::time_point when);
    /// Keeps an event that a batch found to be behind one that waits. Where it came from here, it only stays.
    void hold_behind(const WorkPtr &work);

    /// Events that may run now, about `limit` at most: heads whose time has come, each with those behind it, in order. All of them stay
    /// here until `decided`; what the batch then finds to be waiting again is told by the waits, in order.
    std::vector<WorkPtr> due(Clock::time_point now, std::size_t limit);
    /// The event is decided (or dropped): it leaves, and the next of its key becomes due.
    void decided(const WorkPtr &work);

    /// When the next head is due; nothing where no head waits for a time.
    std::optional<Clock::time_point> next_due() const;

    /// Forgets everything of one claim of a partition; it will be delivered again. By the prefix of its order keys, and the claim's number.
    void drop_claims_before(const std::string &topic, std::uint32_t partition, std::uint64_t claim);

    /// When the oldest event that waits was appended; the latest time where none does.
    event::Micros oldest_appended() const;

    std::size_t events() const { return events_; }
    std::size_t bytes() const { return bytes_; }

private:
    struct Held {
        std::deque<WorkPtr> queue; // the head first
        enum class State : std::uint8_t { timed, in_handler, free, taken } state = State::free;
        Clock::time_point when;
        std::multimap<Clock::time_point, std::string>::iterator timer;
    };
    static std::string key_of(const Work &work);
    Held *entry(const std::string &key, const WorkPtr &head);
    void stop_timer(Held &held);
    void count(Work &work, bool add);

    std::unordered_map<std::string, Held> held_;
    std::multimap<Clock::time_point, std::string> timers_;
    std::deque<std::string> free_; // keys whose head may run
    std::size_t events_ = 0;
    std::size_t bytes_ = 0;
};

} // namespace weir::engine
