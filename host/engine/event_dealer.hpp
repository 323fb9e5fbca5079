// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain.hpp"
#include "engine/event_reader.hpp"
#include "engine/partition_keeper.hpp"
#include "engine/shard.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace weir::engine {

/**
 * Deals out to a domain's shards what its reader has read: an event's key says which shard it goes to, so that all events of a key go the
 * same way in their order. The domain's thread alone.
 */
class EventDealer {
public:
    using Clock = std::chrono::steady_clock;

    /// Tells what the store knows of these events, with the crashes of hosts that have just died where they were delivered before.
    using LookUp = std::function<std::vector<store::Attempts>(std::span<const event::Uuid> ids, bool delivered_before)>;

    EventDealer(const DomainSpec &spec, EventReader &reader, PartitionKeeper &partitions, EventBudget &budget, LookUp look_up);

    /// Reads anew what the store knows of events that aren't decided, and has it forget what it knows of those that are.
    void load_attempts(store::Session &session);

    /// A batch of at most so many events for a shard that is idle: what is due again comes first, then what was read. Empty where there is
    /// nothing to do.
    std::vector<WorkPtr> assemble(std::span<const std::unique_ptr<Shard>> shards, Shard &shard, std::size_t most);

    /// How many of the shards get new events, all unless `use` has said otherwise.
    std::size_t in_use() const { return in_use_; }
    /// From now on the first so many shards take every key; what lies in queues goes to them. Keys that wait stay where they wait, and have
    /// what comes after them brought there, until none of their events is left. Only while no shard has a batch, or one that is to run
    /// again.
    void use(std::span<const std::unique_ptr<Shard>> shards, std::size_t number);

private:
    bool is_held_full(std::span<const std::unique_ptr<Shard>> shards) const;
    static bool is_other_at_work(std::span<const std::unique_ptr<Shard>> shards, const Shard &shard);
    std::vector<store::Attempts> ask(std::span<const event::Uuid> ids, bool delivered_before) const;
    void look_up_delivered_before(std::span<const EventReader::Read> read);
    void look_up_again(std::span<const WorkPtr> due);
    using Elsewhere = std::pair<event::Uuid, Shard *>;
    static std::vector<Elsewhere> elsewhere(std::span<const std::unique_ptr<Shard>> shards, const Shard &wanting);
    static Shard *shard_of_copy(std::span<const std::unique_ptr<Shard>> shards, Shard &wanting, const std::vector<Elsewhere> &others,
                                const Work &work);
    void deal(std::span<const std::unique_ptr<Shard>> shards, Shard &wanting, std::size_t events);
    Shard &shard_of_key(std::span<const std::unique_ptr<Shard>> shards, const Work &work) const;
    static bool hold(std::span<const std::unique_ptr<Shard>> shards, const WorkPtr &work);
    std::uint64_t claim_of(const event::Message &message);
    WorkPtr work_of(EventReader::Read read) const;
    void admit(std::span<const std::unique_ptr<Shard>> shards, WorkPtr work, Shard &shard, std::vector<WorkPtr> &batch);

    static constexpr std::size_t kAll = SIZE_MAX;

    const DomainSpec &spec_;
    EventReader &reader_;
    PartitionKeeper &partitions_;
    EventBudget &budget_;
    LookUp look_up_;
    std::map<event::Uuid, store::Attempts> attempts_;
    std::size_t in_use_ = kAll;
    struct {
        broker::Partition partition;
        std::uint64_t claim = 0;
        bool is_known = false;
    } last_; // claims don't change while a batch is put together
};

} // namespace weir::engine
