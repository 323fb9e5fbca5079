// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/crash_marks.hpp"
#include "engine/work.hpp"
#include "plugin/module.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

namespace weir::engine {

/// A handler that is past its budget, for status and logs.
struct Overdue {
    std::string handler;
    event::Uuid event_id;
    std::chrono::steady_clock::time_point since;
};

/**
 * Runs a domain's handlers on a thread of their own, so that one that takes long, or never returns, can be left behind.
 *
 * A handler past its budget leaves the batch: its thread goes on alone, reading through a connection of its own, and the next events run on
 * a new thread. What it comes to in the end is handed to `late`. One user thread.
 */
class HandlerLanes {
public:
    struct Setup {
        std::shared_ptr<plugin::Instance> instance;
        std::shared_ptr<CrashMarks> marks;
        std::string domain;
        const event::Contracts *contracts = nullptr; ///< for what handlers emit; outlives the process's handlers
        std::chrono::milliseconds budget{1000};
        /// How long the handlers of one batch may take together before it commits what it has.
        std::chrono::milliseconds batch_time{1000};
        std::size_t max_overdue = 8;
        /// How many are overdue, where several users of one instance share the bound; one may go over it for each other user.
        std::shared_ptr<std::atomic<std::size_t>> overdue = std::make_shared<std::atomic<std::size_t>>(0);
        std::uint32_t crash_limit = 3;
        /// Looks over what a handler came to, on its thread, before anything is done with it; may turn it away. Empty: nobody does.
        std::function<void(const event::Event &event, HandlerResult &result)> review;
        /// Reads a row for an overdue handler, on its thread, on a connection of its own.
        std::function<std::optional<store::Row>(std::uint32_t table, const store::Key &key)> read_alone;
        /// Takes what an overdue handler came to, on its thread. Nothing: it failed to read; run it again.
        std::function<void(const WorkPtr &work, std::optional<HandlerResult> result)> late;
    };

    explicit HandlerLanes(Setup setup);
    /// Ends its own thread; overdue handlers keep what they use and end by themselves.
    ~HandlerLanes();
    HandlerLanes(const HandlerLanes &) = delete;
    HandlerLanes &operator=(const HandlerLanes &) = delete;

    /// What one stretch of events came to.
    struct Stretch {
        std::vector<Ran> ran;
        bool complete = true; ///< false: the time was up or handlers are exhausted; nothing after it may run before its rest has
    };
    /// Where changes go and what holds events back; used by the lane between `begin` and `finish`, and by nobody else then.
    struct Place {
        store::BatchRows &rows;
        std::unordered_set<std::string> &blocked; ///< keys that wait; those that become blocked are added
    };

    /// When handlers of a batch that begins now must have been begun: an open transaction keeps others waiting, and a stop as well.
    std::chrono::steady_clock::time_point deadline_from_now() const;

    /// Begins to run the handlers of some events in order, on the lane's thread, reading through the place's rows and adding what each
    /// changes to it under its number. Events of blocked keys, or behind one that asked for a retry, are held. Past the deadline the rest
    /// is held, but for the first event where `at_least_one`. `finish` must follow, whatever happens in between.
    void begin(std::vector<WorkPtr> work, std::vector<std::size_t> numbers, Place place, std::chrono::steady_clock::time_point deadline,
               bool at_least_one);

    /// Waits for what was begun, leaving overdue handlers behind. Throws what reading threw.
    Stretch finish();

    std::vector<Overdue> overdue() const;
    /// Whether so many handlers were left behind that no further one is begun; everything is held then.
    bool exhausted() const;

    /// How many threads of the whole process are still in a handler that was left behind, also those of domains and generations that are
    /// gone.
    static int left_behind_in_process() noexcept;

private:
    struct Range;
    struct Lane;
    struct Common;

    std::shared_ptr<Lane> make_lane();
    void hand_over(std::shared_ptr<Range> range);
    std::size_t await(Range &range);
    std::size_t leave_behind(Range &range, std::shared_ptr<Lane> next);

    std::shared_ptr<Common> common_;
    std::shared_ptr<Lane> lane_;
    std::shared_ptr<Range> begun_;
};

} // namespace weir::engine
