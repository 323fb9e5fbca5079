// SPDX-License-Identifier: Apache-2.0
#include "consumer.hpp"

#include <algorithm>

namespace weir::broker::embedded {

namespace {
// A ring that was lost (its publisher killed between commit and ring) costs this much; without inotify readers look more often.
constexpr std::chrono::milliseconds kLookAnyway{100};
constexpr std::chrono::milliseconds kLookWithoutInotify{4};

/// The group's next offset; makes the group where it is missing.
std::uint64_t ensure_cursor(Connection &connection, const Stream &stream, const std::string &group, std::optional<Position> stored) {
    const std::uint64_t begin = std::clamp<std::uint64_t>(stored ? stored->high + 1 : stream.first, stream.first, stream.next);
    connection.statement("INSERT INTO cursors(stream, grp, next) VALUES(?, ?, ?) ON CONFLICT DO NOTHING", "iti", "")
        .run(stream.id, group, begin);
    Statement &find = connection.statement("SELECT next FROM cursors WHERE stream = ? AND grp = ?", "it", "i");
    find.first(stream.id, group);
    return static_cast<std::uint64_t>(find.integer(0));
}

std::optional<std::pair<Topic, Stream>> find_partition(Connection &connection, const Partition &partition) {
    if (auto topic = find_topic(connection, partition.topic)) {
        for (const Stream &stream : streams_of(connection, topic->id)) {
            if (stream.number == partition.number) {
                return std::pair(*topic, stream);
            }
        }
    }
    return std::nullopt;
}
} // namespace

std::unique_ptr<Consumer> make_consumer(std::shared_ptr<Core> core, const Subscription &subscription) {
    return std::make_unique<EmbeddedConsumer>(std::move(core), subscription);
}

EmbeddedConsumer::EmbeddedConsumer(std::shared_ptr<Core> core, Subscription subscription)
    : core_(std::move(core)), subscription_(std::move(subscription)), listener_(core_->doorbell.listen()),
      reader_(core_->options, Synchronous::normal), control_(core_->options, Synchronous::normal) {}

EmbeddedConsumer::~EmbeddedConsumer() {
    core_->doorbell.forget(listener_.get());
    try {
        flush_acks();
    } catch (const std::exception &) {
        // What is not acknowledged is delivered again.
    }
}

std::vector<Partition> EmbeddedConsumer::partitions() {
    const std::lock_guard control(control_mutex_);
    std::vector<Partition> out;
    for (const std::string &name : subscription_.topics) {
        if (const auto topic = find_topic(control_, name)) {
            for (const Stream &stream : streams_of(control_, topic->id)) {
                out.push_back({name, stream.number});
            }
        }
    }
    return out;
}

std::string EmbeddedConsumer::incarnation(const Partition &partition) {
    const std::lock_guard control(control_mutex_);
    const auto topic = find_topic(control_, partition.topic);
    if (!topic) {
        throw Unavailable("topic '" + partition.topic + "' is not there yet; publishing to it makes it");
    }
    return topic->incarnation;
}

void EmbeddedConsumer::queue_pending(Connection &connection, Share &share, const Subscription &subscription) {
    share.waiting.clear();
    for (const PendingRange &row : Pending(connection, share.stream.id, subscription.group).all()) {
        if (row.consumer == subscription.consumer) {
            const auto ranges = share.handed.missing_in(row.range);
            share.waiting.insert(share.waiting.end(), ranges.begin(), ranges.end());
        }
    }
}

void EmbeddedConsumer::claim(const Partition &partition, std::optional<Position> stored) {
    {
        const std::lock_guard control(control_mutex_);
        flush_acks();
        const std::lock_guard state(state_mutex_);
        Transaction transaction(control_, core_->write_lock);
        const auto found = find_partition(control_, partition);
        const auto known = shares_.find(partition);
        Share share;
        if (found) {
            if (known != shares_.end() && known->second.bound && known->second.stream.id == found->second.id) {
                share = known->second;
            }
            share.bound = true;
            share.topic = found->first;
            share.stream = found->second;
            share.cursor = ensure_cursor(control_, share.stream, subscription_.group, stored);
            if (!subscription_.parallel) {
                Pending(control_, share.stream.id, subscription_.group).give_to(subscription_.consumer);
            }
            queue_pending(control_, share, subscription_);
        }
        transaction.commit();
        shares_.insert_or_assign(partition, std::move(share));
    }
    attend();
}

void EmbeddedConsumer::release(const Partition &partition) {
    const std::lock_guard state(state_mutex_);
    if (!subscription_.parallel) {
        shares_.erase(partition);
    }
}

std::vector<std::shared_ptr<const Message>> EmbeddedConsumer::read(const ReadLimits &limits, std::chrono::milliseconds wait) {
    const auto deadline = std::chrono::steady_clock::now() + wait;
    if (acks_waiting_) {
        const std::lock_guard control(control_mutex_);
        flush_acks();
    }
    for (;;) {
        const std::int64_t version = reader_.data_version();
        if (dirty_.exchange(false) || version != seen_version_) {
            try {
                std::vector<Taken> taken;
                {
                    const std::lock_guard state(state_mutex_);
                    if (anything_to_take()) {
                        taken = take(limits);
                    }
                }
                if (!taken.empty()) {
                    dirty_ = true;
                    return load_taken(taken);
                }
                seen_version_ = version;
            } catch (...) {
                dirty_ = true;
                throw;
            }
        }
        const auto now = std::chrono::steady_clock::now();
        if (woken_.exchange(false) || now >= deadline) {
            return {};
        }
        listener_->wait_until(std::min(deadline, now + (listener_->hears_others() ? kLookAnyway : kLookWithoutInotify)));
    }
}

std::vector<std::shared_ptr<const Message>> EmbeddedConsumer::load_taken(const std::vector<Taken> &taken) {
    std::vector<std::shared_ptr<const Message>> messages;
    try {
        std::size_t count = 0;
        for (const Taken &part : taken) {
            count += part.range.last - part.range.first + 1;
        }
        messages.reserve(count);
        for (const Taken &part : taken) {
            load(reader_, part.topic, part.stream, part.range.first, part.range.last, part.deliveries, messages);
        }
    } catch (...) {
        // They are ours by now, so they wait to be handed out by a later call.
        const std::lock_guard state(state_mutex_);
        for (auto part = taken.rbegin(); part != taken.rend(); ++part) {
            const auto share = shares_.find(part->partition);
            if (share != shares_.end() && share->second.stream.id == part->stream.id) {
                share->second.handed.remove(part->range);
                share->second.waiting.push_front(part->range);
            }
        }
        throw;
    }
    return messages;
}

void EmbeddedConsumer::ack(std::span<const std::shared_ptr<const Message>> messages) {
    if (messages.empty()) {
        return;
    }
    const std::lock_guard control(control_mutex_);
    const Message *last = nullptr;
    OffsetSet *offsets = nullptr;
    for (const auto &message : messages) {
        if (!last || last->partition != message->partition || last->incarnation != message->incarnation || last->topic != message->topic) {
            offsets = &acks_[AckKey(message->topic, message->incarnation, message->partition)];
        }
        last = message.get();
        offsets->add({message->position.high, message->position.high});
    }
    acks_waiting_ = true;
    flush_acks();
}

bool EmbeddedConsumer::flush_acks() {
    if (acks_.empty()) {
        return true;
    }
    std::vector<std::pair<Partition, std::pair<std::int64_t, std::vector<Range>>>> done;
    try {
        Transaction transaction(control_, core_->write_lock);
        for (const auto &[key, offsets] : acks_) {
            const auto &[topic, incarnation, number] = key;
            Statement &find = control_.statement("SELECT s.id FROM topics t JOIN streams s ON s.topic = t.id AND s.number = ? "
                                                 "WHERE t.name = ? AND t.incarnation = ?",
                                                 "itt", "i");
            if (!find.first(number, topic, incarnation)) {
                continue; // the topic was dropped, and its pending rows with it
            }
            const std::int64_t stream = find.integer(0);
            for (const Range &range : offsets.ranges()) {
                Pending(control_, stream, subscription_.group).acknowledge(range);
            }
            done.push_back({{topic, number}, {stream, offsets.ranges()}});
        }
        transaction.commit();
    } catch (const Unavailable &) {
        return false; // kept in acks_, and tried again by the next call
    }
    acks_.clear();
    acks_waiting_ = false;
    const std::lock_guard state(state_mutex_);
    for (const auto &[partition, acknowledged] : done) {
        const auto share = shares_.find(partition);
        if (share != shares_.end() && share->second.stream.id == acknowledged.first) {
            for (const Range &range : acknowledged.second) {
                share->second.handed.remove(range);
            }
        }
    }
    return true;
}

void EmbeddedConsumer::renew(std::chrono::milliseconds idle) {
    {
        const std::lock_guard control(control_mutex_);
        flush_acks();
        if (!subscription_.parallel) {
            return;
        }
        const std::lock_guard state(state_mutex_);
        Transaction transaction(control_, core_->write_lock);
        const std::int64_t now = boot_clock();
        for (auto &[partition, share] : shares_) {
            if (share.bound) {
                Pending pending(control_, share.stream.id, subscription_.group);
                pending.touch(subscription_.consumer, now);
                pending.steal(subscription_.consumer, now - std::chrono::microseconds(idle).count(), now);
            }
        }
        transaction.commit();
        for (auto &[partition, share] : shares_) {
            if (share.bound) {
                queue_pending(control_, share, subscription_);
            }
        }
    }
    attend();
}

std::vector<PartitionLag> EmbeddedConsumer::lag() {
    const std::lock_guard control(control_mutex_);
    flush_acks();
    const Snapshot snapshot(control_);
    std::vector<PartitionLag> out;
    for (const std::string &name : subscription_.topics) {
        const auto topic = find_topic(control_, name);
        if (!topic) {
            continue;
        }
        for (const Stream &stream : streams_of(control_, topic->id)) {
            Statement &cursor = control_.statement("SELECT next FROM cursors WHERE stream = ? AND grp = ?", "it", "i");
            const bool known = cursor.first(stream.id, subscription_.group);
            const std::uint64_t next = known ? static_cast<std::uint64_t>(cursor.integer(0)) : stream.first;
            out.push_back({{name, stream.number},
                           stream.next - stream.first,
                           stream.next - next,
                           Pending(control_, stream.id, subscription_.group).count()});
        }
    }
    return out;
}

void EmbeddedConsumer::wake() {
    woken_ = true;
    listener_->poke();
}

void EmbeddedConsumer::attend() noexcept {
    dirty_ = true;
    listener_->poke();
}

} // namespace weir::broker::embedded
