// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/domain.hpp"
#include "engine/event_reader.hpp"
#include "engine/position_tracker.hpp"
#include "store/store.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace weir::engine {

/**
 * The partitions that a domain reads: finds them, takes their leases, claims them, and gives them back. In an ordered domain a partition is
 * read only under its lease, and what a predecessor left pending comes before anything new. A parallel domain has no leases: its readers
 * share. One thread, but for what its comment calls thread-safe.
 */
class PartitionKeeper {
public:
    using Clock = std::chrono::steady_clock;

    /// @param taken_over called when a lease was got, before anything of its partition is read
    PartitionKeeper(const DomainSpec &spec, broker::Consumer &consumer, EventReader &reader, std::function<void()> taken_over);

    /// Takes what is free and renews what is held, where that is due. Throws what store and broker throw; on Fenced the caller forgets what
    /// it holds and calls `fenced`.
    void keep(store::Session &session);
    /// When `keep` wants to be called again.
    Clock::time_point next() const { return next_; }

    /// Somebody else has a lease by now: stops reading all partitions; those still free are taken again by `keep`.
    void fenced();
    /// Gives everything back.
    void release(store::Session &session);

    const std::vector<store::Lease> &leases() const { return leases_; }
    /// Partitions that are read; in a parallel domain all there are.
    std::size_t reading() const { return spec_.parallel ? known_ : leases_.size(); }
    /// Topics of the domain that the broker didn't have at the last look.
    const std::vector<std::string> &missing_topics() const { return missing_topics_; }
    /// Whether there are partitions and another host reads all of them.
    bool standby() const { return !spec_.parallel && known_ > 0 && leases_.empty(); }

    /// A parallel domain's: notes among `positions`, one a partition, that the message's was reached, where it is further on than what was
    /// saved. Thread-safe.
    void reach(const event::Message &message, std::vector<store::StoredPosition> &positions) const;

    /// A parallel domain's: up to where its partitions are done, by all hosts, where that is further than was saved.
    std::vector<store::StoredPosition> done() const;

    void seen(const event::Message &message);
    void decided(const event::Message &message);
    /// How far the partitions are decided when these messages are as well, where that is further than was saved; an ordered domain's.
    /// Thread-safe.
    std::vector<store::StoredPosition> positions_with(std::span<const event::Message *const> messages) const;
    /// Those have been committed.
    void saved(std::span<const store::StoredPosition> positions);

private:
    struct Progress {
        std::string incarnation; // a topic may be made anew while its partition is held
        PositionTracker tracker;
        std::optional<event::Position> saved;
        event::Position reached{}; // the furthest that was saved as decided
    };
    Progress *progress_of(const event::Message &message);
    void take(store::Session &session, const broker::Partition &partition);
    void note_missing(const std::vector<broker::Partition> &partitions);
    void stop_reading(const broker::Partition &partition);

    const DomainSpec &spec_;
    broker::Consumer &consumer_;
    EventReader &reader_;
    std::function<void()> taken_over_;
    std::vector<store::Lease> leases_;
    mutable std::mutex mutex_; // of the next four
    std::map<broker::Partition, Progress> progress_;
    std::pair<const broker::Partition, Progress> *last_ = nullptr; // of `progress_`, the one that was looked for last
    std::map<broker::Partition, store::StoredPosition> saved_;     // a parallel domain's
    std::vector<broker::Done> done_;                               // as of the last look
    std::vector<std::string> missing_topics_;
    std::size_t known_ = 0;
    Clock::time_point next_ = Clock::time_point::min();
    Clock::time_point renew_at_ = Clock::time_point::min();
};

} // namespace weir::engine
