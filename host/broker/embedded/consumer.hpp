// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core.hpp"
#include "log.hpp"
#include "pending.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <tuple>

namespace weir::broker::embedded {

/// One partition as this consumer reads it.
struct Share {
    bool bound = false; ///< false: the partition is not there (any more), and is looked for
    Topic topic;
    Stream stream;
    std::uint64_t cursor = 1;  ///< the group's next offset, as last seen
    std::deque<Range> waiting; ///< pending rows of ours that were not handed out by this object
    OffsetSet handed;          ///< handed out by this object, not acknowledged
};

/// Two connections: one belongs to the thread in `read`, the other to whoever holds `control_mutex_`. Locks are taken in the order
/// control, state, the process's write lock.
class EmbeddedConsumer : public Consumer {
public:
    EmbeddedConsumer(std::shared_ptr<Core> core, Subscription subscription);
    ~EmbeddedConsumer() override;

    std::vector<Partition> partitions() override;
    std::string incarnation(const Partition &partition) override;
    void claim(const Partition &partition, std::optional<Position> stored) override;
    void release(const Partition &partition) override;
    std::vector<std::shared_ptr<const Message>> read(const ReadLimits &limits, std::chrono::milliseconds wait) override;
    void ack(std::span<const std::shared_ptr<const Message>> messages) override;
    void renew(std::chrono::milliseconds idle) override;
    std::vector<PartitionLag> lag() override;
    void wake() override;

private:
    /// What one transaction gave to this consumer.
    struct Taken {
        Partition partition;
        Topic topic;
        Stream stream;
        Range range;
        std::uint32_t deliveries;
    };
    using AckKey = std::tuple<std::string, std::string, std::uint32_t>; ///< topic, incarnation, partition
    struct Room {
        std::size_t messages;
        std::size_t bytes;
        bool full = false;
    };

    // With state_mutex_ held, on the reader's connection.
    bool anything_to_take();
    void find_shares();
    void bind(const Partition &partition, const Topic &topic, const Stream &stream);
    void restore_group(Share &share);
    std::vector<Taken> take(const ReadLimits &limits);
    void take_waiting(const Partition &partition, Share &share, std::deque<Range> &waiting, Room &room, std::vector<Taken> &taken);
    void take_new(const Partition &partition, Share &share, std::uint64_t &cursor, Room &room, std::vector<Taken> &taken);

    std::vector<std::shared_ptr<const Message>> load_taken(const std::vector<Taken> &taken);
    static void queue_pending(Connection &connection, Share &share, const Subscription &subscription);
    bool flush_acks(); ///< control_mutex_ held; false where the file could not be written
    void attend() noexcept;

    const std::shared_ptr<Core> core_;
    const Subscription subscription_;
    const std::unique_ptr<Doorbell::Listener> listener_;

    Connection reader_;
    std::int64_t seen_version_ = -1; ///< read thread only
    std::atomic<bool> dirty_{true};  ///< there may be something to take although the file did not change
    std::atomic<bool> woken_{false};

    std::mutex control_mutex_;
    Connection control_;
    std::map<AckKey, OffsetSet> acks_; ///< not yet in the file; control_mutex_
    std::atomic<bool> acks_waiting_{false};

    std::mutex state_mutex_;
    std::map<Partition, Share> shares_; ///< state_mutex_
    std::pair<std::int64_t, std::int64_t> streams_seen_{-1, -1};
    std::size_t turn_ = 0; ///< whose turn it is to be read first
};

} // namespace weir::broker::embedded
