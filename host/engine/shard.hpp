// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/batch_cycle.hpp"
#include "engine/batches_under_way.hpp"
#include "engine/handler_lane.hpp"
#include "engine/key_gate.hpp"
#include "engine/wakeup.hpp"
#include "engine/work.hpp"
#include "store/store.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weir::engine {

/**
 * Some of a domain's keys: their events run through batches of their own, on a connection of their own, while other shards' batches are
 * under way. An event's key decides its shard, so that order per key stays. A domain has one shard where its store takes one writer, or
 * where keys may depend on each other (docs/decisions/0015). Used by the domain's thread; only the batch itself may run on the shard's own.
 */
class Shard {
public:
    using Clock = std::chrono::steady_clock;

    /// @param bell rung when a batch has ended
    /// @param under_way counts its batches while they run; outlives it
    /// @param own_thread batches run beside the domain's thread; else within `start`
    Shard(store::DomainStore &store, Wakeup &bell, const std::string &domain, BatchesUnderWay &under_way, bool own_thread);
    /// Waits for the batch that runs; what it came to is lost to the domain, not to the store.
    ~Shard();
    Shard(const Shard &) = delete;
    Shard &operator=(const Shard &) = delete;

    /// What runs its batches from now on, on a new session. Not while one runs.
    void serve(std::unique_ptr<HandlerLanes> handlers, const std::function<std::unique_ptr<BatchCycle>(HandlerLanes &, KeyGate &)> &cycle);
    /// Lets go of the handlers, where a domain ends.
    void close();

    /// Begins a batch. Not while one runs, or has ended and was not looked at.
    void start(std::vector<WorkPtr> batch, std::vector<store::Lease> leases);
    bool is_idle() const { return !begun_; }
    bool has_ended() const;
    /// Whether the event is in a batch that runs, or that nobody has looked at since.
    bool works_at(const WorkPtr &work) const { return begun_ && std::find(batch_.begin(), batch_.end(), work) != batch_.end(); }
    /// Calls `use` with each event that was dealt out to it, but for those that the gate alone holds.
    template <typename Use> void each(Use use) const {
        for (const WorkPtr &work : queue_) {
            use(*work);
        }
        for (const WorkPtr &work : unfinished_) {
            use(*work);
        }
        if (begun_) {
            for (const WorkPtr &work : batch_) {
                use(*work);
            }
        }
    }
    /// When the oldest event that it has in memory was appended; the latest time where it has none.
    event::Micros oldest_appended() const;
    void wait() const;
    /// Events that wait for nothing but a batch, or are in one.
    std::size_t in_hand() const;

    /// What a batch came to.
    struct Ended {
        std::vector<std::shared_ptr<const event::Message>> decided; ///< to be acknowledged
        std::vector<WorkPtr> batch;                                 ///< its events, where any was decided
        std::size_t undecided = 0;                                  ///< of its events, those that will be dealt out again or not at all
        bool fenced = false;                                        ///< another host has its partition
        std::exception_ptr failure;                                 ///< what the domain can't go on with
    };
    /// Looks at the batch that has ended: counts what it decided, keeps it where it has to run again.
    Ended look(Counts &counts);

    /// The batch that has to run again, once its time has come; it was kept by `look`.
    std::vector<WorkPtr> take_unfinished();
    bool has_unfinished() const { return !unfinished_.empty(); }
    Clock::time_point again_at() const { return again_at_; }
    /// Whether its batch has run again and again.
    bool is_contended() const;
    /// Forgets the batch that would run again. @return how many events that were
    std::size_t drop_unfinished();
    const std::vector<WorkPtr> &unfinished() const { return unfinished_; }

    KeyGate &gate() { return gate_; }
    const KeyGate &gate() const { return gate_; }
    HandlerLanes &handlers() { return *handlers_; }
    const HandlerLanes &handlers() const { return *handlers_; }
    std::deque<WorkPtr> &queue() { return queue_; } ///< dealt out to it and in no batch yet

private:
    void run();
    void loop();

    store::DomainStore &store_;
    Wakeup &bell_;
    const std::string domain_;
    BatchesUnderWay &under_way_;
    std::unique_ptr<store::Session> session_;
    std::unique_ptr<HandlerLanes> handlers_;
    std::unique_ptr<BatchCycle> cycle_;
    KeyGate gate_;
    std::deque<WorkPtr> queue_;

    // The batch that runs: the thread's own between `start` and the end of it.
    std::vector<WorkPtr> batch_;
    std::vector<store::Lease> leases_;
    std::shared_ptr<BatchCycle::Attempt> attempt_;
    std::exception_ptr failure_;
    bool begun_ = false;

    std::vector<WorkPtr> unfinished_;
    std::uint32_t run_again_ = 0;
    Clock::time_point again_at_ = Clock::time_point::min();

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    bool running_ = false;
    bool stop_ = false;
    std::thread thread_; // none where batches run on the domain's
};

} // namespace weir::engine
