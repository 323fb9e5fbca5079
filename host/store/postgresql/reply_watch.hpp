// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>

namespace weir::store::postgresql {

/**
 * Ends calls that wait for an answer for too long, or that nobody has time for any more: their connection is shut down, and the call fails
 * as if the network had cut it. SOCI's calls wait for ever, and a stalled network that still acknowledges looks alive to TCP. Thread-safe;
 * its thread begins with the first call.
 */
class ReplyWatch {
public:
    ReplyWatch() = default;
    ~ReplyWatch();
    ReplyWatch(const ReplyWatch &) = delete;
    ReplyWatch &operator=(const ReplyWatch &) = delete;

    /// Watches one call. The descriptor stays open while it lives.
    class Guard {
    public:
        Guard(ReplyWatch &watch, int descriptor, std::chrono::milliseconds timeout);
        ~Guard();
        Guard(const Guard &) = delete;
        Guard &operator=(const Guard &) = delete;

    private:
        ReplyWatch &watch_;
        std::uint64_t id_;
    };

    /// Ends all calls that wait, and from now on each that begins.
    void end_all() noexcept;
    bool has_ended_all() const noexcept;

private:
    using Clock = std::chrono::steady_clock;
    struct Call {
        int descriptor;
        Clock::time_point deadline;
    };
    void loop();

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint64_t, Call> calls_;
    std::uint64_t next_ = 0;
    Clock::time_point wakes_at_ = Clock::time_point::max();
    bool stop_ = false;
    bool ended_all_ = false;
    std::thread thread_;
};

} // namespace weir::store::postgresql
