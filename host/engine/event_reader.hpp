// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/batches_under_way.hpp"
#include "engine/domain.hpp"
#include "engine/wakeup.hpp"
#include "engine/work_in_hand.hpp"
#include "event/decoder.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir::engine {

/// Reads and decodes ahead on a thread of its own, so that batch N+1 is ready while batch N commits. What it holds is bounded by two
/// batches, by half of that where many domains are busy: batches are half as large then.
class EventReader {
public:
    struct Read {
        std::shared_ptr<const event::Event> event;
        std::uint64_t claim = 0; ///< of its partition, when it was read
    };
    struct Limits {
        std::size_t batch_events = 1000;
        std::size_t batch_bytes = 4u << 20;
        std::size_t read_events = 1000;           ///< that one read asks for
        std::chrono::milliseconds read_wait{250}; ///< for something to read
        std::string domain;                       ///< for the thread's name
    };

    /// As a domain's options say.
    static Limits limits_of(const DomainSpec &spec);

    /// @param decoders by topic; one for every topic of the consumer; outlives this, as does the consumer
    /// @param ready rung when there is something to take, or an error to look at
    /// @param in_hand told how many wait to be taken
    /// @param under_way told whether more is read than gets done; says whether other domains are busy as well
    EventReader(broker::Consumer &consumer, const std::map<std::string, std::unique_ptr<event::Decoder>> &decoders, Limits limits,
                Wakeup &ready, std::shared_ptr<WorkInHand> in_hand, std::shared_ptr<BatchesUnderWay> under_way);
    ~EventReader();
    EventReader(const EventReader &) = delete;
    EventReader &operator=(const EventReader &) = delete;

    /// Takes what has been read, in order, at most so much.
    std::vector<Read> take(std::size_t max_events, std::size_t max_bytes);
    /// Whether nothing waits to be taken.
    bool empty() const;

    /// While paused, nothing new is asked of the broker.
    void pause(bool paused);

    /// Counts a partition's claims and calls `change`, which claims or releases it, while no read is under way: what is read afterwards
    /// carries the new number, and nothing that was read before does.
    void next_claim(const broker::Partition &partition, const std::function<void()> &change);
    std::uint64_t claim_of(const std::string &topic, std::uint32_t partition) const;

    /// Why the broker can't be read.
    struct Trouble {
        std::string reason;        ///< empty: it can
        bool needs_change = false; ///< waiting alone doesn't help
    };
    Trouble trouble() const;

private:
    void loop();
    void read_once();
    void set_trouble(Trouble trouble);
    void read_in_turn();
    void take_up();
    std::size_t share_of(std::size_t limit) const;
    void say_busy();

    broker::Consumer &consumer_;
    const std::map<std::string, std::unique_ptr<event::Decoder>> &decoders_;
    const Limits limits_;
    Wakeup &ready_;
    const std::shared_ptr<WorkInHand> in_hand_;
    const std::shared_ptr<BatchesUnderWay> under_way_;
    Wakeup mine_;

    // The thread's own: whether its domain is busy, and what was read and isn't queued yet. The broker has handed it out, and won't do so
    // again while this lives.
    BatchesUnderWay::Busy busy_;
    std::vector<std::shared_ptr<const event::Message>> unqueued_;
    std::map<broker::Partition, std::uint64_t> unqueued_claims_; ///< under which it was read

    mutable std::mutex mutex_;
    std::deque<Read> queue_;
    std::size_t queued_bytes_ = 0;
    bool paused_ = false;
    Trouble trouble_;
    std::map<broker::Partition, std::uint64_t> claims_;

    std::mutex turn_mutex_; // reading and claiming take turns
    std::condition_variable turn_changed_;
    bool reading_ = false;
    int claiming_ = 0;

    std::atomic<bool> stop_{false};
    std::thread thread_;
};

} // namespace weir::engine
