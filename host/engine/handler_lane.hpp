// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/crash_marks.hpp"
#include "engine/work.hpp"
#include "plugin/module.hpp"

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
        std::size_t max_overdue = 8;
        std::uint32_t crash_limit = 3;
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

    /// Runs the handlers of some events in order, reading through `rows` and adding what each changes to it under its index in `work`.
    /// Ends early, with the rest held, after about a second or when handlers are exhausted.
    /// Events of keys in `blocked`, or behind one that asked for a retry, are held; keys that become blocked are added. Throws what reading
    /// threw.
    std::vector<Ran> run(std::span<const WorkPtr> work, store::BatchRows &rows, std::unordered_set<std::string> &blocked);

    std::vector<Overdue> overdue() const;
    /// Whether so many handlers were left behind that no further one is begun; `run` then holds everything.
    bool exhausted() const;

    /// How many threads of the whole process are still in a handler that was left behind, also those of domains and generations that are
    /// gone.
    static int left_behind_in_process() noexcept;

private:
    struct Range;
    struct Lane;
    struct Common;

    std::shared_ptr<Lane> make_lane();
    void hand_over(const std::shared_ptr<Range> &range);
    std::size_t await(Range &range);
    std::size_t leave_behind(Range &range, std::shared_ptr<Lane> next);

    std::shared_ptr<Common> common_;
    std::shared_ptr<Lane> lane_;
};

} // namespace weir::engine
