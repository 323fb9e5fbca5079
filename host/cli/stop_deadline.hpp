// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/config.hpp"
#include "engine/domain.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir::cli {

/**
 * Bounds how long a host takes to end, whatever its servers and threads do. Where it is still there at the end of its patience, it is to
 * give up whom it waits for; where that was not enough, it ends as it is, with `Exit::unavailable`. Nothing is lost by either: what was not
 * committed is done again, and what was not acknowledged is delivered again.
 */
class StopDeadline {
public:
    using Clock = std::chrono::steady_clock;
    struct Times {
        std::chrono::milliseconds patience; ///< until it gives up
        std::chrono::milliseconds margin;   ///< after that, until the process ends
    };
    /// engine.drain_timeout_ms, the longest of those that are served, and some seconds.
    static Times times(const config::HostConfig &config, const std::vector<engine::DomainSpec> &served);

    /// Begins to count. @param give_up called on a thread of its own
    StopDeadline(Times times, std::function<void()> give_up);
    /// It has ended in time.
    ~StopDeadline();
    StopDeadline(const StopDeadline &) = delete;
    StopDeadline &operator=(const StopDeadline &) = delete;

    /// Until when something may be waited for, so that there is time yet to tell what all came to.
    Clock::time_point last_words() const noexcept;

private:
    void loop(const std::function<void()> &give_up);
    bool has_ended_by(Clock::time_point time);

    const Clock::time_point give_up_at_;
    const Clock::time_point end_at_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool has_ended_ = false;
    std::thread thread_;
};

} // namespace weir::cli
