// SPDX-License-Identifier: Apache-2.0
// How a consumer comes by its messages. Each turn of `read` asks the server one thing and takes the answers: first what the group holds for
// this name already (history), then what is new.
#include "consumer.hpp"
#include "failure.hpp"

#include <algorithm>

namespace weir::broker::redis {

namespace {
constexpr std::chrono::milliseconds kLongestBlock{1000}; ///< how long a connection that was lost can still be given entries
constexpr std::chrono::milliseconds kLookEvery{250};     ///< for streams that are not there yet
constexpr std::size_t kHistoryStreams = 16;              ///< asked for at once
constexpr std::size_t kFirstCount = 128;                 ///< then twice as many each time, as the sizes of entries become known

bool says_missing(const Reply &reply) {
    return reply.is_error("NOGROUP") || reply.is_error("ERR no such key") || reply.is_error("UNBLOCKED");
}
} // namespace

std::vector<std::shared_ptr<const Message>> RedisConsumer::read(const ReadLimits &limits, std::chrono::milliseconds wait) {
    const auto deadline = Clock::now() + wait;
    if (limits.max_messages == 0) {
        return {};
    }
    if (acks_waiting_) {
        const std::lock_guard control(control_mutex_);
        flush_acks();
    }
    bool asked = false;
    for (;;) {
        if (auto messages = hand_out(limits); !messages.empty()) {
            return messages;
        }
        if (woken_.exchange(false)) {
            bell_.heard();
            return {};
        }
        if (!reader_.awaits_answers()) {
            if (asked && Clock::now() >= deadline) {
                return {};
            }
            look_around();
            asked = ask(limits, deadline);
            if (!asked) {
                if (Clock::now() >= deadline) {
                    return {};
                }
                bell_.wait_until(std::min(deadline, look_at_));
                continue;
            }
        } else if (deadline < blocked_until_) { // what was asked by an earlier call would wait for longer than this one may
            const std::lock_guard control(control_mutex_);
            unblock();
        }
        const auto overdue = blocked_until_ + options_.timeout;
        if (reader_.receive(overdue, overdue, &bell_)) {
            take_answers();
        } else {
            bell_.heard();
        }
    }
}

std::vector<std::shared_ptr<const Message>> RedisConsumer::hand_out(const ReadLimits &limits) {
    const std::lock_guard state(state_mutex_);
    Messages out;
    std::size_t bytes = 0;
    while (!fetched_.empty() && out.size() < limits.max_messages) {
        const std::size_t next = fetched_.front()->bytes();
        if (!out.empty() && bytes + next > limits.max_bytes) {
            break;
        }
        bytes += next;
        out.push_back(std::move(fetched_.front()));
        fetched_.pop_front();
    }
    return out;
}

void RedisConsumer::look_around() {
    const auto now = Clock::now();
    if (now < look_at_) {
        return;
    }
    look_at_ = now + kLookEvery;
    {
        const std::lock_guard state(state_mutex_);
        const bool missing = std::any_of(shares_.begin(), shares_.end(), [](const auto &share) { return !share.second.bound; });
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
        if (std::none_of(shares_.begin(), shares_.end(), [](const auto &share) { return share.second.bound; })) {
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
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    blocked_until_ = Clock::now();
    return ask_history(limits) || ask_fresh(limits, std::clamp(left, std::chrono::milliseconds(0), kLongestBlock));
}

void RedisConsumer::connected() {
    if (!was_connected_) {
        was_connected_ = true;
        return;
    }
    const std::lock_guard control(control_mutex_);
    std::vector<Partition> partitions;
    {
        const std::lock_guard state(state_mutex_);
        name_ = new_name();
        for (const auto &[partition, share] : shares_) {
            partitions.push_back(partition);
        }
    }
    for (const Partition &partition : partitions) {
        if (subscription_.parallel) { // the answers that were lost stand under the former name
            take_left(partition, std::chrono::hours(24 * 365), static_cast<std::size_t>(-1));
        }
    }
}

/// How many entries of each stream are asked for: the whole reply should keep the limits, although the server knows but a count for each.
std::size_t RedisConsumer::count_for(const ReadLimits &limits, std::size_t streams) {
    std::size_t bytes = 1;
    for (const auto &[partition, share] : shares_) {
        bytes = std::max(bytes, share.mean_bytes);
    }
    const std::size_t giving = std::max<std::size_t>(1, std::min(streams, active_));
    const std::size_t wanted =
        std::min({(limits.max_messages + giving - 1) / giving, limits.max_bytes / bytes / giving, std::max(2 * last_count_, kFirstCount)});
    last_count_ = std::max<std::size_t>(1, wanted);
    return last_count_;
}

bool RedisConsumer::ask_history(const ReadLimits &limits) {
    Commands commands;
    {
        const std::lock_guard state(state_mutex_);
        for (const auto &[partition, share] : shares_) {
            if (share.bound && !share.history_done && asked_.parts.size() < kHistoryStreams) {
                asked_.parts.push_back({partition, share.epoch, share.key});
            }
        }
        if (asked_.parts.empty()) {
            return false;
        }
        asked_.kind = Asked::Kind::history;
        asked_.count = count_for({std::max(limits.max_messages / asked_.parts.size(), std::size_t{1}), limits.max_bytes}, 1);
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
            if (share.bound) {
                asked_.parts.push_back({partition, share.epoch, share.key});
            }
        }
        if (asked_.parts.empty()) {
            return false;
        }
        // Whose turn it is to be first: where the limits are reached before the last stream, it is not always the same that waits.
        std::rotate(asked_.parts.begin(), asked_.parts.begin() + static_cast<std::ptrdiff_t>(turn_++ % asked_.parts.size()),
                    asked_.parts.end());
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

Share *RedisConsumer::share_of(const Asked::Part &part) {
    const auto share = shares_.find(part.partition);
    return share != shares_.end() && share->second.bound && share->second.epoch == part.epoch ? &share->second : nullptr;
}

void RedisConsumer::take_answers() {
    blocked_client_ = 0;
    if (asked_.kind == Asked::Kind::history) {
        take_history(reader_.answers());
    } else if (asked_.kind == Asked::Kind::fresh) {
        take_fresh(reader_.answers());
    }
    asked_ = {};
}

void RedisConsumer::take_history(std::span<const Reply *const> answers) {
    std::vector<Partition> lost;
    for (std::size_t at = 0; at < asked_.parts.size(); ++at) {
        const Reply &read = *answers[2 * at];
        const Reply &pending = *answers[2 * at + 1];
        if (says_missing(read) || says_missing(pending)) {
            lost.push_back(asked_.parts[at].partition);
            continue;
        }
        check(options_, read, "XREADGROUP", asked_.parts[at].key);
        check(options_, pending, "XPENDING", asked_.parts[at].key);
        const std::lock_guard state(state_mutex_);
        Share *share = share_of(asked_.parts[at]);
        if (!share) {
            continue; // the claim is another by now, and asks again
        }
        const auto entries = read[0][1].array();
        std::size_t known = 0;
        for (const Reply &entry : entries) {
            std::uint32_t deliveries = 2;
            while (known < pending.count && pending[known][0].text != entry[0].text) {
                ++known;
            }
            if (known < pending.count) {
                deliveries = static_cast<std::uint32_t>(pending[known][3].integer);
            } else {
                known = 0; // acknowledged in between
            }
            auto message = read_entry(share->origin, entry, deliveries);
            if (message) {
                fetch_gone(*share, message->position);
                share->history_cursor = message->position;
                if (!share->in_hand.contains(message->position)) {
                    fetch(*share, std::move(message));
                }
            }
        }
        if (entries.size() < asked_.count) {
            fetch_gone(*share, {UINT64_MAX, UINT64_MAX});
            share->history_done = true;
        }
    }
    if (!lost.empty()) {
        const std::lock_guard control(control_mutex_);
        for (const Partition &partition : lost) {
            restore(partition);
        }
    }
}

/// Ordered: entries that the server gave to another name meanwhile (a host that was taken over and doesn't know it, a connection that was
/// lost) stand before those that came now. Parallel: a stream may be another one by now.
void RedisConsumer::look_for_theft(std::span<const Reply *const> answers) {
    std::vector<Partition> lost;
    std::vector<Partition> stolen;
    {
        const std::lock_guard state(state_mutex_);
        for (std::size_t at = 0; at < asked_.parts.size(); ++at) {
            const Reply &answer = *answers[at];
            Share *share = share_of(asked_.parts[at]);
            if (says_missing(answer)) {
                lost.push_back(asked_.parts[at].partition);
                continue;
            }
            check(options_, answer, subscription_.parallel ? "XINFO" : "XPENDING", asked_.parts[at].key);
            if (!share) {
                continue;
            }
            if (subscription_.parallel) {
                if (!find_group(answer, subscription_.group) || incarnation_in(answer) != share->origin.incarnation) {
                    lost.push_back(asked_.parts[at].partition);
                }
                continue;
            }
            std::uint64_t others = 0;
            for (const Reply &consumer : answer[3].array()) {
                std::uint64_t count = 0;
                for (const char digit : consumer[1].text) {
                    count = 10 * count + static_cast<std::uint64_t>(digit - '0');
                }
                others += consumer[0].text == name_ ? 0 : count;
            }
            if (others > share->gone_in_hand.size() + share->gone.size()) {
                stolen.push_back(asked_.parts[at].partition);
            }
        }
    }
    if (!lost.empty() || !stolen.empty()) {
        const std::lock_guard control(control_mutex_);
        for (const Partition &partition : lost) {
            restore(partition);
        }
        for (const Partition &partition : stolen) {
            take_over(partition);
        }
    }
}

void RedisConsumer::take_fresh(std::span<const Reply *const> answers) {
    const Reply &read = *answers[0];
    look_for_theft(answers.subspan(1));
    if (says_missing(read)) {
        return; // whichever it was has been made again
    }
    check(options_, read, "XREADGROUP", asked_.parts.size() == 1 ? asked_.parts[0].key : "");
    const std::lock_guard state(state_mutex_);
    active_ = std::max<std::size_t>(1, read.count);
    for (const Reply &stream : read.array()) {
        const auto part = std::find_if(asked_.parts.begin(), asked_.parts.end(),
                                       [&](const Asked::Part &candidate) { return candidate.key == stream[0].text; });
        Share *share = part == asked_.parts.end() ? nullptr : share_of(*part);
        if (!share) {
            continue; // they are pending under our name, and come with the history where the partition is still ours
        }
        for (const Reply &entry : stream[1].array()) {
            auto message = read_entry(share->origin, entry, 1);
            if (message) {
                share->newest = std::max(share->newest.value_or(message->position), message->position);
                if (!share->in_hand.contains(message->position)) {
                    fetch(*share, std::move(message));
                }
            }
        }
    }
}

} // namespace weir::broker::redis
