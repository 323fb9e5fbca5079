// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/message.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir::broker {

using event::Message;
using event::Position;

/// The broker does not answer. What was asked may or may not have happened; asking again is safe for everything but `publish`.
class Unavailable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The broker answers and will go on refusing until somebody changes something; the message says what.
class Misconfigured : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Partition {
    std::string topic;
    std::uint32_t number = 0;
    friend auto operator<=>(const Partition &, const Partition &) = default;
};

/// What one partition holds for a group. Counts are exact on the embedded broker, as good as the server's elsewhere.
struct PartitionLag {
    Partition partition;
    std::uint64_t length = 0;  ///< messages kept
    std::uint64_t backlog = 0; ///< never delivered to the group
    std::uint64_t pending = 0; ///< delivered, not acknowledged
};

struct ReadLimits {
    std::size_t max_messages = 1000;
    std::size_t max_bytes = 4u << 20; ///< the first message always fits, whatever its size
};

/// Up to where a partition is done for a group: what stands at or before the position was acknowledged, or skipped by whoever set the
/// group.
struct Done {
    Partition partition;
    std::string incarnation;
    Position through;
};

/// How a domain wants to read.
struct Subscription {
    std::string group;
    std::string consumer; ///< unique to this process and domain
    std::vector<std::string> topics;
    bool parallel = false; ///< false: partitions are read only after `claim`
    std::vector<Done>
        done{}; ///< parallel only: what the store knows, for a group that isn't there; without it one is made at the beginning
};

/// A domain's membership in a group. `read` is called by one thread; `ack`, `lag`, `claim` and `release` by any. What is handed out stays
/// pending for this consumer until it is acknowledged, and is not handed out by this object again.
class Consumer {
public:
    virtual ~Consumer() = default;

    /// The partitions of the subscribed topics, found anew. A topic that doesn't exist yet has none, or is made, as the broker does.
    virtual std::vector<Partition> partitions() = 0;

    /// The partition's incarnation, for the positions that the store keeps.
    virtual std::string incarnation(const Partition &partition) = 0;

    /// Begins to read a partition: everything pending in the group, whoever had it, comes to this consumer first and in order; then new
    /// messages. The caller holds the partition's lease. A group that isn't there is made: after `stored`, where that was given, else at
    /// the beginning.
    virtual void claim(const Partition &partition, std::optional<Position> stored) = 0;

    /// Stops reading a partition. What is pending stays pending for whoever claims it next.
    virtual void release(const Partition &partition) = 0;

    /// Hands out messages of the claimed partitions (parallel: of all): pending ones first, then new ones, in topic order within a
    /// partition. Waits up to `wait` where there are none. An empty result is no error.
    virtual std::vector<std::shared_ptr<const Message>> read(const ReadLimits &limits, std::chrono::milliseconds wait) = 0;

    /// Acknowledges, once and for all. Repeating is harmless. One that fails is kept and repeated by the adapter.
    virtual void ack(std::span<const std::shared_ptr<const Message>> messages) = 0;

    /// Parallel only: keeps what this consumer has pending from being taken by others, and takes what others left for `idle`.
    virtual void renew(std::chrono::milliseconds idle) = 0;

    /// Parallel only: up to where each partition is done, by all readers of the group; those of which that can't be told are left out. What
    /// was acknowledged is decided, so the store may keep it as a position to go on from.
    virtual std::vector<Done> done() { return {}; }

    virtual std::vector<PartitionLag> lag() = 0;

    /// Makes a waiting `read` return soon. Any thread.
    virtual void wake() = 0;
};

/// One message to be published.
struct Outgoing {
    std::string key; ///< empty: spread over the partitions
    std::vector<event::Header> headers;
    std::string body;
};

struct GroupInfo {
    std::string group;
    std::uint64_t backlog = 0;
    std::uint64_t pending = 0;
};

struct TopicInfo {
    std::string topic;
    std::uint32_t partitions = 1;
    std::uint64_t length = 0;
    std::vector<GroupInfo> groups;
};

/// A place where topics live. Thread-safe.
class Broker {
public:
    virtual ~Broker() = default;

    virtual std::unique_ptr<Consumer> subscribe(const Subscription &subscription) = 0;

    /// Appends in order, durably, before it returns; makes the topic where it is missing. All or nothing on the embedded broker; elsewhere
    /// a prefix may have been taken when it throws.
    virtual void publish(const std::string &topic, std::span<const Outgoing> messages) = 0;

    virtual std::vector<TopicInfo> topics() = 0;

    /// Reads without a group: messages after `after` (nothing: from the beginning), for `tail` and `rebuild`.
    virtual std::vector<Message> browse(const Partition &partition, std::optional<Position> after, std::size_t limit) = 0;

    /// The newest messages of a partition, at most `limit`, in topic order; for `tail`. This one reads the partition from its beginning:
    /// adapters that can begin at the end do.
    virtual std::vector<Message> newest(const Partition &partition, std::size_t limit);

    /// Whether the topic is there, so that who publishes can be told that it was made. This one looks through `topics`.
    virtual bool has_topic(const std::string &topic);

    /// How many messages a partition held once and doesn't keep any more; nothing where that can't be known.
    virtual std::optional<std::uint64_t> lost(const Partition &) { return std::nullopt; }

    /// What wants doing now and then beside publishing, such as retention on quiet topics; called by a running host about once a minute.
    virtual void maintain() {}

    /// One sentence on what this broker keeps through a crash, for `config check`.
    virtual std::string guarantee() const = 0;
};

} // namespace weir::broker
