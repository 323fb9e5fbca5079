// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace weir::engine {

/// A bell that one thread waits for and any may ring; a ring before the wait is not lost.
class Wakeup {
public:
    void ring() {
        {
            const std::lock_guard lock(mutex_);
            rung_ = true;
        }
        changed_.notify_one();
    }
    /// Waits for a ring, or until the deadline.
    void wait_until(std::chrono::steady_clock::time_point deadline) {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, deadline, [this] { return rung_; });
        rung_ = false;
    }
    void wait_for(std::chrono::milliseconds time) { wait_until(std::chrono::steady_clock::now() + time); }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool rung_ = false;
};

} // namespace weir::engine
