// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/work.hpp"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir::engine {

/**
 * Acknowledges committed batches, in order, on a thread of its own, so that the next batch doesn't wait for it; and gives back the memory
 * of their events there. Holds so many batches at most. One user thread.
 */
class Acknowledger {
public:
    struct Batch {
        std::vector<std::shared_ptr<const event::Message>> messages; ///< to be acknowledged
        std::vector<WorkPtr> done;                                   ///< to be let go
    };

    /// @param consumer outlives this
    /// @param domain for the thread's name
    Acknowledger(broker::Consumer &consumer, const std::string &domain);
    /// Finishes what was given. What fails then stays unacknowledged, and the ledger knows it.
    ~Acknowledger();
    Acknowledger(const Acknowledger &) = delete;
    Acknowledger &operator=(const Acknowledger &) = delete;

    /// Takes a committed batch; waits where too many are under way. Throws what an earlier one met.
    void push(Batch batch);

    /// Waits until everything is acknowledged. Throws what that met.
    void flush();

private:
    void loop();
    void rethrow();

    broker::Consumer &consumer_;
    const std::string domain_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Batch> queue_;
    bool working_ = false;
    bool stop_ = false;
    std::exception_ptr failure_;
    std::thread thread_;
};

} // namespace weir::engine
