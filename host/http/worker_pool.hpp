// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace weir::http {

/// Threads that run handlers, behind a bounded queue. A handler that runs past its deadline keeps its thread, and the pool gets another one
/// for it, up to three times as many as it has: one that hangs doesn't stop the others. Thread-safe.
class WorkerPool {
public:
    using Clock = std::chrono::steady_clock;

    WorkerPool(unsigned workers, std::size_t max_queue);
    ~WorkerPool(); ///< stops without waiting; threads that still run keep what they use alive
    WorkerPool(const WorkerPool &) = delete;
    WorkerPool &operator=(const WorkerPool &) = delete;

    /// @param run must not throw; skipped where its turn comes after the deadline
    /// @return false where the queue is full, or it was stopped
    bool submit(std::function<void()> run, Clock::time_point deadline);

    /// Starts threads for those that are overdue. To be called now and then.
    void relieve(Clock::time_point now);

    void limit_queue(std::size_t max_queue);

    /// Takes nothing more, drops what is queued, and waits for what runs. @return false where the deadline passed first
    bool stop(Clock::time_point deadline);

    std::size_t queued() const;
    std::size_t running() const;

private:
    struct Core;
    std::shared_ptr<Core> core_;
};

} // namespace weir::http
