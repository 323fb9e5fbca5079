// SPDX-License-Identifier: Apache-2.0
// What a reading consumer asks the server for.
#include "consumer.hpp"

#include <algorithm>

namespace weir::broker::redis {

namespace {
constexpr std::chrono::milliseconds kLongestBlock{1000}; ///< how long a connection that was lost can still be given entries
constexpr std::chrono::milliseconds kLookEvery{250};     ///< for streams that are not there yet
constexpr std::size_t kHistoryStreams = 16;              ///< asked for at once
constexpr std::size_t kFirstCount = 128;                 ///< then twice as many each time, as the sizes of entries become known
} // namespace

void RedisConsumer::look_around() {
    const auto now = Clock::now();
    if (now < look_at_) {
        return;
    }
    look_at_ = now + kLookEvery;
    {
        const std::lock_guard state(state_mutex_);
        const bool missing =
            std::any_of(shares_.begin(), shares_.end(), [](const auto &share) { return !share.second.bound || share.second.superseded; });
        if (!subscription_.parallel && !missing) {
            return;
        }
    }
    const std::lock_guard control(control_mutex_);
    bind_found(find());
}

/// False where there is nothing to ask for, or the bell rang while connecting.
bool RedisConsumer::ask(const ReadLimits &limits, Clock::time_point deadline) {
    {
        const std::lock_guard state(state_mutex_);
        if (std::none_of(shares_.begin(), shares_.end(), [](const auto &share) { return is_read(share.second); })) {
            return false;
        }
    }
    const bool was_open = reader_.is_open();
    const auto known = reader_.client_id();
    blocked_client_ = 0;
    asked_ = {};
    if (!reader_.open(&bell_)) {
        return false;
    }
    if (!was_open || reader_.client_id() != known) {
        connected();
    }
    settle_all();
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    blocked_until_ = Clock::now();
    {
        const std::lock_guard state(state_mutex_);
        left = fetched_.empty() && full_.empty() ? left : std::chrono::milliseconds(0);
    }
    return ask_history(limits) || ask_fresh(limits, std::clamp(left, std::chrono::milliseconds(0), kLongestBlock));
}

/// The answers that were lost with the former connection stand under the former name.
void RedisConsumer::connected() {
    const std::lock_guard state(state_mutex_);
    if (was_connected_) {
        name_ = new_name();
        for (auto &[partition, share] : shares_) {
            share.settled = false;
        }
    }
    was_connected_ = true;
}

/// What is pending under other names comes before anything that is read now.
void RedisConsumer::settle_all() {
    std::vector<Partition> open;
    {
        const std::lock_guard state(state_mutex_);
        for (const auto &[partition, share] : shares_) {
            if (is_read(share) && !share.settled) {
                open.push_back(partition);
            }
        }
    }
    if (!open.empty()) {
        const std::lock_guard control(control_mutex_);
        for (const Partition &partition : open) {
            settle(partition);
        }
    }
}

/// How many entries of each stream are asked for. The server knows but a count for each, so what keeps the limits for all is shared out.
std::size_t RedisConsumer::count_for(const ReadLimits &limits, std::size_t streams) {
    std::size_t bytes = 1;
    for (const auto &[partition, share] : shares_) {
        bytes = std::max(bytes, share.mean_bytes);
    }
    const std::size_t room = limits.max_messages - std::min(limits.max_messages, fetched_.size());
    const std::size_t room_bytes = limits.max_bytes - std::min(limits.max_bytes, fetched_bytes_);
    last_count_ =
        std::max<std::size_t>(1, std::min({room / streams, room_bytes / bytes / streams, std::max(2 * last_count_, kFirstCount)}));
    return last_count_;
}

bool RedisConsumer::ask_history(const ReadLimits &limits) {
    Commands commands;
    {
        const std::lock_guard state(state_mutex_);
        for (const auto &[partition, share] : shares_) {
            if (is_read(share) && share.settled && !share.history_done && asked_.parts.size() < kHistoryStreams) {
                asked_.parts.push_back({partition, share.epoch, share.key});
            }
        }
        if (asked_.parts.empty()) {
            return false;
        }
        asked_.kind = Asked::Kind::history;
        asked_.count = count_for(limits, asked_.parts.size());
        const std::string count = std::to_string(asked_.count);
        for (const Asked::Part &part : asked_.parts) {
            const std::string cursor = id_of(shares_[part.partition].history_cursor);
            commands.add({"XREADGROUP", "GROUP", subscription_.group, name_, "COUNT", count, "STREAMS", part.key, cursor});
            commands.add({"XPENDING", part.key, subscription_.group, "(" + cursor, "+", count, name_});
        }
    }
    reader_.send(commands);
    return true;
}

bool RedisConsumer::ask_fresh(const ReadLimits &limits, std::chrono::milliseconds wait) {
    Commands commands;
    {
        const std::lock_guard state(state_mutex_);
        for (const auto &[partition, share] : shares_) {
            const bool wanted = full_.empty() || std::find(full_.begin(), full_.end(), partition) != full_.end();
            if (is_read(share) && share.settled && wanted) {
                asked_.parts.push_back({partition, share.epoch, share.key});
            }
        }
        if (asked_.parts.empty()) {
            return false;
        }
        // Whose turn it is to be first: where the limits are reached before the last stream, it is not always the same that waits.
        std::rotate(asked_.parts.begin(), asked_.parts.begin() + static_cast<std::ptrdiff_t>(turn_++ % asked_.parts.size()),
                    asked_.parts.end());
        const std::size_t room = limits.max_messages - std::min(limits.max_messages - 1, fetched_.size());
        std::vector<Partition> later;
        while (!full_.empty() && asked_.parts.size() > room) {
            later.push_back(asked_.parts.back().partition);
            asked_.parts.pop_back();
        }
        full_ = std::move(later);
        asked_.kind = Asked::Kind::fresh;
        asked_.count = count_for(limits, asked_.parts.size());
        const bool block = wait.count() > 0;
        commands.begin(7 + (block ? 2 : 0) + 2 * asked_.parts.size())
            .word("XREADGROUP")
            .word("GROUP")
            .word(subscription_.group)
            .word(name_);
        commands.word("COUNT").word(std::to_string(asked_.count));
        if (block) {
            commands.word("BLOCK").word(std::to_string(wait.count()));
        }
        commands.word("STREAMS");
        for (const Asked::Part &part : asked_.parts) {
            commands.word(part.key);
        }
        for (std::size_t stream = 0; stream < asked_.parts.size(); ++stream) {
            commands.word(">");
        }
        // What has become of the groups, as of the moment after these entries were given out.
        for (const Asked::Part &part : asked_.parts) {
            if (subscription_.parallel) {
                commands.add({"XINFO", "GROUPS", part.key});
            } else {
                commands.add({"XPENDING", part.key, subscription_.group});
            }
        }
        blocked_until_ = Clock::now() + wait;
        blocked_client_ = block ? reader_.client_id() : 0;
    }
    reader_.send(commands);
    return true;
}

} // namespace weir::broker::redis
