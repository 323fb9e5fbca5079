// SPDX-License-Identifier: Apache-2.0
#include "consumer.hpp"

#include "failure.hpp"

#include <algorithm>
#include <charconv>

namespace weir::broker::redis {

RedisConsumer::RedisConsumer(const RedisOptions &options, Subscription subscription)
    : options_(options), subscription_(std::move(subscription)), own_prefix_(subscription_.consumer + "~"),
      reader_(options, subscription_.consumer + ":read"), control_(options, subscription_.consumer), name_(new_name()) {}

RedisConsumer::~RedisConsumer() { leave(); }

std::string RedisConsumer::new_name() const {
    static std::atomic<std::uint64_t> connections{0};
    return own_prefix_ + std::to_string(claim_) + "." + std::to_string(++connections);
}

std::optional<std::uint64_t> RedisConsumer::claim_in(std::string_view consumer) {
    const auto tilde = consumer.rfind('~');
    const std::string_view digits = tilde == std::string_view::npos ? std::string_view() : consumer.substr(tilde + 1);
    std::uint64_t claim = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), claim);
    return error == std::errc() && end != digits.data() + digits.size() && *end == '.' ? std::optional(claim) : std::nullopt;
}

std::string RedisConsumer::name() {
    const std::lock_guard state(state_mutex_);
    return name_;
}

bool RedisConsumer::is_ours(std::string_view consumer) const { return consumer.starts_with(own_prefix_); }

std::vector<Partition> RedisConsumer::partitions() {
    const std::lock_guard control(control_mutex_);
    const auto found = find();
    if (subscription_.parallel) {
        bind_found(found);
    }
    check_incarnations();
    std::vector<Partition> out;
    for (const std::string &topic : subscription_.topics) {
        const auto streams = found.find(topic);
        for (std::size_t at = 0; streams != found.end() && at < streams->second.size(); ++at) {
            out.push_back(streams->second[at].partition);
        }
    }
    return out;
}

std::string RedisConsumer::incarnation(const Partition &partition) {
    const std::lock_guard control(control_mutex_);
    for (const Stream &stream : find_streams(control_, partition.topic)) {
        if (stream.partition == partition) {
            if (auto known = incarnation_of(control_, stream.key)) {
                return *known;
            }
        }
    }
    throw Unavailable(options_.key + ": " + options_.place() + " has no stream for topic '" + partition.topic + "' partition " +
                      std::to_string(partition.number) + " yet; publishing to it makes it");
}

void RedisConsumer::claim(const Partition &partition, std::optional<Position> stored) {
    const std::lock_guard control(control_mutex_);
    flush_acks();
    const auto streams = find_streams(control_, partition.topic);
    const auto stream = std::find_if(streams.begin(), streams.end(), [&](const Stream &one) { return one.partition == partition; });
    if (stream == streams.end()) {
        const std::lock_guard state(state_mutex_);
        shares_.insert_or_assign(partition, Share{});
    } else {
        bind(*stream, stored);
    }
    unblock();
    bell_.ring();
}

void RedisConsumer::release(const Partition &partition) {
    const std::lock_guard state(state_mutex_);
    if (!subscription_.parallel) {
        shares_.erase(partition);
        drop_fetched(partition);
    }
}

void RedisConsumer::forget_fetched() {
    for (const auto &message : fetched_) {
        const auto share = shares_.find({message->topic, message->partition});
        if (share != shares_.end()) {
            put_back(share->second, message->position);
            read_history_from(share->second, before(message->position));
        }
    }
    fetched_.clear();
    fetched_bytes_ = 0;
}

/// One that was fetched and is not handed out is in nobody's hand: it is to come again.
void RedisConsumer::put_back(Share &share, const Position &position) {
    share.in_hand.acknowledge(position);
    share.gone_in_hand.erase(position);
}

void RedisConsumer::drop_fetched(const Partition &partition) {
    const auto share = shares_.find(partition);
    const auto of_partition = [&](const auto &message) {
        const bool is = message->partition == partition.number && message->topic == partition.topic;
        if (is && share != shares_.end()) {
            put_back(share->second, message->position);
        }
        return is;
    };
    fetched_.erase(std::remove_if(fetched_.begin(), fetched_.end(), of_partition), fetched_.end());
    fetched_bytes_ = 0;
    for (const auto &message : fetched_) {
        fetched_bytes_ += message->bytes();
    }
}

void RedisConsumer::fetch(Share &share, std::shared_ptr<Message> message) {
    share.in_hand.add(message->position);
    const std::size_t bytes = message->bytes();
    share.mean_bytes = (7 * share.mean_bytes + bytes) / 8;
    fetched_bytes_ += bytes;
    kept_at_ = Clock::now();
    fetched_.push_back(std::move(message));
}

void RedisConsumer::fetch_gone(Share &share, const Position &before) {
    while (!share.gone.empty() && share.gone.begin()->first < before) {
        const auto [position, deliveries] = *share.gone.begin();
        share.gone.erase(share.gone.begin());
        share.gone_in_hand.insert(position);
        fetch(share, lost_message(share.origin, position, deliveries + 1));
    }
}

void RedisConsumer::read_history_from(Share &share, const Position &cursor) {
    share.history_cursor = share.history_done ? cursor : std::min(share.history_cursor, cursor);
    share.history_done = false;
    share.epoch = ++epoch_;
}

void RedisConsumer::ack(std::span<const std::shared_ptr<const Message>> messages) {
    if (messages.empty()) {
        return;
    }
    const std::lock_guard control(control_mutex_);
    const Message *last = nullptr;
    std::vector<Position> *positions = nullptr;
    for (const auto &message : messages) {
        if (!last || last->partition != message->partition || last->incarnation != message->incarnation || last->topic != message->topic) {
            positions = &acks_[AckKey(message->topic, message->incarnation, message->partition)];
        }
        last = message.get();
        positions->push_back(message->position);
    }
    acks_waiting_ = true;
    flush_acks();
}

void RedisConsumer::renew(std::chrono::milliseconds idle) {
    constexpr std::size_t kPages = 20; // of what others hold, looked through in one call
    const std::lock_guard control(control_mutex_);
    flush_acks();
    if (!subscription_.parallel) {
        return;
    }
    const auto began = Clock::now();
    std::map<Partition, std::string> keys;
    bool unknown = false;
    {
        const std::lock_guard state(state_mutex_);
        unknown = shares_.empty();
    }
    if (unknown) {
        bind_found(find());
    }
    {
        const std::lock_guard state(state_mutex_);
        lease_ = idle;
        for (const auto &[partition, share] : shares_) {
            if (share.bound) {
                keys.emplace(partition, share.key);
            }
        }
    }
    for (const auto &[partition, key] : keys) {
        keep_own(key);
    }
    {
        const std::lock_guard state(state_mutex_);
        kept_at_ = began;
    }
    for (const auto &[partition, key] : keys) {
        take_left(partition, idle, kPages);
    }
    bell_.ring();
}

std::vector<PartitionLag> RedisConsumer::lag() {
    const std::lock_guard control(control_mutex_);
    flush_acks();
    std::vector<PartitionLag> out;
    for (const auto &[topic, streams] : find()) {
        for (const Stream &stream : streams) {
            PartitionLag &lag = out.emplace_back(PartitionLag{stream.partition});
            Commands commands;
            commands.add({"XLEN", stream.key}).add({"XINFO", "GROUPS", stream.key});
            const auto answers = control_.execute(commands);
            lag.length = static_cast<std::uint64_t>(check(options_, *answers[0], "XLEN", stream.key).integer);
            lag.backlog = lag.length;
            if (answers[1]->is_error("ERR no such key")) {
                continue;
            }
            if (const Reply *group = find_group(check(options_, *answers[1], "XINFO", stream.key), subscription_.group)) {
                lag.pending = static_cast<std::uint64_t>(group->value_of("pending").integer);
                lag.backlog = backlog_of(control_, stream.key, *group, lag.length);
            }
        }
    }
    return out;
}

void RedisConsumer::wake() {
    woken_ = true;
    bell_.ring();
}

} // namespace weir::broker::redis
