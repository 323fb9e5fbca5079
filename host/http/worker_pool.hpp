// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/handler_watch.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace weir::http {

/**
 * Threads that run handlers, behind a bounded queue. A handler that runs past its deadline keeps its thread, and the pool gets another one
 * for it, so that one that hangs doesn't stop the others: for each where a watch is told of them, and bounds them; else until there are
 * three times as many threads. While handlers of a watch's group are overdue, others of the group get half of the workers. Thread-safe.
 */
class WorkerPool {
public:
    using Clock = std::chrono::steady_clock;

    /// A handler to be run, and who is told where it doesn't return in time.
    struct Job {
        std::function<void()> run;  ///< must not throw; also called where its turn comes after the deadline, or its watch is full by then
        Clock::time_point deadline; ///< of the request; what waited for a worker until shortly before is not overdue for that
        Clock::duration time{0};    ///< that its handler has from its beginning, where that ends later
        std::shared_ptr<HandlerWatch> watch{}; ///< may be null
        std::shared_ptr<const Route> route{};  ///< what the watch is told; set where there is one
    };

    WorkerPool(unsigned workers, std::size_t max_queue);
    ~WorkerPool(); ///< stops without waiting; threads that still run keep what they use alive
    WorkerPool(const WorkerPool &) = delete;
    WorkerPool &operator=(const WorkerPool &) = delete;

    /// @return false where the queue is full, or it was stopped
    bool submit(Job job);

    /// Starts threads for those that are overdue, and tells of them. To be called now and then. @return whether it is to be called again:
    /// something runs that may become overdue
    bool relieve(Clock::time_point now);

    void limit_queue(std::size_t max_queue);

    /// Takes nothing more, drops what is queued, and waits for what runs, but for overdue handlers that a watch knows of.
    /// @return false where one of these is left, or the deadline passed first
    bool stop(Clock::time_point deadline);

    std::size_t queued() const;
    std::size_t running() const;

private:
    struct Core;
    std::shared_ptr<Core> core_;
};

} // namespace weir::http
