// SPDX-License-Identifier: Apache-2.0
#include "engine/partition_keeper.hpp"

#include "log/log.hpp"

#include <algorithm>
#include <tuple>

namespace weir::engine {

namespace {
// How often new partitions and free leases are looked for: often enough that a standby takes over, and a new topic is read, within a
// second.
constexpr auto kLookEvery = std::chrono::milliseconds(250);
} // namespace

PartitionKeeper::PartitionKeeper(const DomainSpec &spec, broker::Consumer &consumer, EventReader &reader, std::function<void()> taken_over)
    : spec_(spec), consumer_(consumer), reader_(reader), taken_over_(std::move(taken_over)) {}

void PartitionKeeper::keep(store::Session &session) {
    const auto now = Clock::now();
    next_ = now + kLookEvery;
    const std::vector<broker::Partition> partitions = consumer_.partitions();
    known_ = partitions.size();
    note_missing(partitions);
    if (spec_.parallel) {
        if (now >= renew_at_) {
            consumer_.renew(spec_.options.lease_time_to_live);
            const std::vector<broker::Done> done = consumer_.done();
            const std::lock_guard lock(mutex_);
            done_ = done;
            renew_at_ = now + spec_.options.lease_time_to_live / 3;
        }
        return;
    }
    if (now >= renew_at_ && !leases_.empty()) {
        session.renew_leases(leases_, spec_.options.lease_time_to_live);
        renew_at_ = now + spec_.options.lease_time_to_live / 3;
    }
    for (const broker::Partition &partition : partitions) {
        const bool held = std::any_of(leases_.begin(), leases_.end(), [&](const store::Lease &lease) {
            return lease.topic == partition.topic && lease.partition == partition.number;
        });
        if (!held) {
            take(session, partition);
        }
    }
}

void PartitionKeeper::note_missing(const std::vector<broker::Partition> &partitions) {
    missing_topics_.clear();
    for (const std::string &topic : spec_.topics) {
        if (std::none_of(partitions.begin(), partitions.end(),
                         [&](const broker::Partition &partition) { return partition.topic == topic; })) {
            missing_topics_.push_back(topic);
        }
    }
}

void PartitionKeeper::take(store::Session &session, const broker::Partition &partition) {
    auto lease = session.acquire_lease(partition.topic, partition.number, spec_.consumer, spec_.options.lease_time_to_live);
    if (!lease) {
        return;
    }
    taken_over_();
    Progress progress;
    progress.incarnation = consumer_.incarnation(partition);
    std::optional<event::Position> stored;
    for (const store::StoredPosition &position : session.positions()) {
        if (position.topic == partition.topic && position.partition == partition.number && position.incarnation == progress.incarnation) {
            progress.reached = position.reached;
            if (position.position != event::Position{}) {
                stored = position.position;
            }
        }
    }
    progress.saved = stored;
    reader_.next_claim(partition, [&] { consumer_.claim(partition, stored); });
    {
        const std::lock_guard lock(mutex_);
        progress_[partition] = std::move(progress);
    }
    log::info("partition.claimed", "Reading a partition",
              {{"domain", spec_.name}, {"topic", partition.topic}, {"partition", partition.number}, {"epoch", lease->epoch}});
    leases_.push_back(std::move(*lease));
}

void PartitionKeeper::stop_reading(const broker::Partition &partition) {
    reader_.next_claim(partition, [&] { consumer_.release(partition); });
    const std::lock_guard lock(mutex_);
    last_ = nullptr;
    progress_.erase(partition);
}

void PartitionKeeper::fenced() {
    for (const store::Lease &lease : leases_) {
        log::warn("partition.fenced", "Another host has taken over a partition; what was read of it is dropped here and done there",
                  {{"domain", spec_.name}, {"topic", lease.topic}, {"partition", lease.partition}, {"epoch", lease.epoch}});
        stop_reading({lease.topic, lease.partition});
    }
    leases_.clear();
    next_ = Clock::now() + kLookEvery;
}

void PartitionKeeper::release(store::Session &session) {
    for (const store::Lease &lease : leases_) {
        stop_reading({lease.topic, lease.partition});
    }
    session.release_leases(leases_);
    leases_.clear();
}

PartitionKeeper::Progress *PartitionKeeper::progress_of(const event::Message &message) {
    if (!last_ || last_->first.number != message.partition || last_->first.topic != message.topic) {
        const auto found = progress_.find({message.topic, message.partition});
        if (found == progress_.end()) {
            return nullptr;
        }
        last_ = &*found;
    }
    return &last_->second;
}

void PartitionKeeper::seen(const event::Message &message) {
    const std::lock_guard lock(mutex_);
    Progress *progress = progress_of(message);
    if (!progress) {
        return;
    }
    if (progress->incarnation != message.incarnation) {
        *progress = {message.incarnation, {}, std::nullopt, {}};
    }
    progress->tracker.seen(message.position);
}

void PartitionKeeper::reach(const event::Message &message, std::vector<store::StoredPosition> &positions) const {
    const std::lock_guard lock(mutex_);
    const auto place =
        std::lower_bound(positions.begin(), positions.end(), message, [](const store::StoredPosition &one, const event::Message &other) {
            return std::tie(one.topic, one.partition) < std::tie(other.topic, other.partition);
        });
    if (place != positions.end() && place->topic == message.topic && place->partition == message.partition) {
        if (place->incarnation != message.incarnation || place->reached < message.position) {
            place->incarnation = message.incarnation;
            place->reached = message.position;
        }
        return;
    }
    const auto saved = saved_.find({message.topic, message.partition});
    if (saved == saved_.end() || saved->second.incarnation != message.incarnation || saved->second.reached < message.position) {
        positions.insert(place, {message.topic, message.partition, message.incarnation, {}, message.position});
    }
}

std::vector<store::StoredPosition> PartitionKeeper::done() const {
    const std::lock_guard lock(mutex_);
    std::vector<store::StoredPosition> positions;
    for (const broker::Done &one : done_) {
        const auto saved = saved_.find(one.partition);
        if (saved == saved_.end() || saved->second.incarnation != one.incarnation || saved->second.position < one.through) {
            positions.push_back({one.partition.topic, one.partition.number, one.incarnation, one.through, one.through});
        }
    }
    return positions;
}

void PartitionKeeper::decided(const event::Message &message) {
    const std::lock_guard lock(mutex_);
    Progress *progress = progress_of(message);
    if (progress && progress->incarnation == message.incarnation) {
        progress->tracker.decided(message.position);
    }
}

std::vector<store::StoredPosition> PartitionKeeper::positions_with(std::span<const event::Message *const> messages) const {
    const std::lock_guard lock(mutex_);
    std::vector<store::StoredPosition> result;
    std::vector<event::Position> decided;
    for (const auto &[partition, progress] : progress_) {
        decided.clear();
        for (const event::Message *message : messages) {
            if (message->partition == partition.number && message->topic == partition.topic &&
                message->incarnation == progress.incarnation) {
                decided.push_back(message->position);
            }
        }
        std::sort(decided.begin(), decided.end());
        const auto through = std::max(progress.saved, progress.tracker.through_with(decided));
        event::Position reached = std::max(progress.reached, through.value_or(event::Position{}));
        if (!decided.empty()) {
            reached = std::max(reached, decided.back());
        }
        if (progress.saved < through || progress.reached < reached) {
            result.push_back({partition.topic, partition.number, progress.incarnation, through.value_or(event::Position{}), reached});
        }
    }
    return result;
}

void PartitionKeeper::saved(std::span<const store::StoredPosition> positions) {
    const std::lock_guard lock(mutex_);
    for (const store::StoredPosition &position : positions) {
        if (spec_.parallel) {
            store::StoredPosition &saved = saved_[{position.topic, position.partition}];
            if (saved.incarnation != position.incarnation) {
                saved = position;
            }
            saved.position = std::max(saved.position, position.position);
            saved.reached = std::max(saved.reached, position.reached);
        }
        const auto found = progress_.find({position.topic, position.partition});
        if (found != progress_.end() && found->second.incarnation == position.incarnation) {
            // Of two batches under way the later may be the first to end.
            Progress &progress = found->second;
            if (position.position != event::Position{} && (!progress.saved || *progress.saved < position.position)) {
                progress.saved = position.position;
            }
            progress.reached = std::max(progress.reached, position.reached);
        }
    }
}

} // namespace weir::engine
