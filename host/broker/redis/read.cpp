// SPDX-License-Identifier: Apache-2.0
// How a consumer comes by its messages. Each turn of `read` asks the server one thing and takes the answers: first what the group holds for
// this name already (history), then what is new.
#include "consumer.hpp"
#include "failure.hpp"
#include "log/log.hpp"

#include <algorithm>

namespace weir::broker::redis {

namespace {
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
    bool looked = false; // whether the server was asked for new ones, after all that is old
    for (;;) {
        if (auto messages = hand_out(limits, looked || blocked_client_ != 0); !messages.empty()) {
            return messages;
        }
        if (woken_.exchange(false)) {
            bell_.heard();
            full_.clear();
            return hand_out(limits, true);
        }
        if (!reader_.awaits_answers()) {
            if (looked && Clock::now() >= deadline) {
                return {};
            }
            look_around();
            if (!ask(limits, deadline)) {
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
            looked = take_answers();
        } else {
            bell_.heard();
        }
    }
}

/// @param all what there is, rather than nothing while the limits would allow for more
std::vector<std::shared_ptr<const Message>> RedisConsumer::hand_out(const ReadLimits &limits, bool all) {
    const std::lock_guard state(state_mutex_);
    if (!fetched_.empty() && lease_.count() > 0 && Clock::now() - kept_at_ > lease_ / 2) {
        forget_fetched(); // this process stood still: they may be somebody else's by now; what is still ours comes again
    }
    Messages out;
    if (!all && fetched_.size() < limits.max_messages && fetched_bytes_ < limits.max_bytes) {
        return out;
    }
    std::size_t bytes = 0;
    while (!fetched_.empty() && out.size() < limits.max_messages) {
        const std::size_t next = fetched_.front()->bytes();
        if (!out.empty() && bytes + next > limits.max_bytes) {
            break;
        }
        bytes += next;
        out.push_back(std::move(fetched_.front()));
        fetched_bytes_ -= next;
        fetched_.pop_front();
    }
    return out;
}

Share *RedisConsumer::share_of(const Asked::Part &part) {
    const auto share = shares_.find(part.partition);
    return share != shares_.end() && is_read(share->second) && share->second.settled && share->second.epoch == part.epoch ? &share->second
                                                                                                                          : nullptr;
}

/// True where that was all there is: new ones were asked for, and neither something old is left to be read nor more than was asked for.
bool RedisConsumer::take_answers() {
    blocked_client_ = 0;
    const Asked::Kind kind = asked_.kind;
    try {
        if (kind == Asked::Kind::history) {
            take_history(reader_.answers());
        } else if (kind == Asked::Kind::fresh) {
            take_fresh(reader_.answers());
        }
    } catch (...) {
        // What was given to us and not taken is pending under our name, and so comes with the history.
        const std::lock_guard state(state_mutex_);
        for (const Asked::Part &part : asked_.parts) {
            const auto share = shares_.find(part.partition);
            if (share != shares_.end()) {
                share->second.settled = false;
                if (kind == Asked::Kind::fresh) {
                    read_history_from(share->second, share->second.newest.value_or(Position{}));
                }
            }
        }
        asked_ = {};
        throw;
    }
    asked_ = {};
    const std::lock_guard state(state_mutex_);
    return kind == Asked::Kind::fresh && full_.empty() && std::all_of(shares_.begin(), shares_.end(), [](const auto &share) {
               return !is_read(share.second) || (share.second.settled && share.second.history_done);
           });
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
    std::vector<std::pair<Partition, std::vector<std::string>>> foreign; // partitions of which others hold something
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
            std::vector<std::string> others;
            for (const Reply &consumer : answer[3].array()) {
                if (claim_of(consumer[0].text) > claim_) {
                    share->superseded = Clock::now();
                    drop_fetched(asked_.parts[at].partition);
                    log::warn("broker.superseded",
                              "Another consumer has claimed a partition later; it is not read here until that is settled",
                              {{"topic", asked_.parts[at].partition.topic},
                               {"partition", asked_.parts[at].partition.number},
                               {"group", subscription_.group},
                               {"consumer", consumer[0].text}});
                }
                if (consumer[0].text != name_ && consumer[1].text != "0") {
                    others.emplace_back(consumer[0].text);
                }
            }
            if (!share->superseded && !others.empty()) {
                share->settled = false; // until it is known that they are gone, and known
                foreign.emplace_back(asked_.parts[at].partition, std::move(others));
            }
        }
    }
    if (lost.empty() && foreign.empty()) {
        return;
    }
    const std::lock_guard control(control_mutex_);
    for (const Partition &partition : lost) {
        restore(partition);
    }
    for (const auto &[partition, others] : foreign) {
        if (has_foreign(partition, others)) {
            settle(partition);
        } else {
            settled(partition);
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
    for (const Reply &stream : read.array()) {
        const auto part = std::find_if(asked_.parts.begin(), asked_.parts.end(),
                                       [&](const Asked::Part &candidate) { return candidate.key == stream[0].text; });
        Share *share = part == asked_.parts.end() ? nullptr : share_of(*part);
        if (!share) {
            // They are pending under our name, and come with the history where the partition is still ours. Also where the history is read
            // anew already, for something that somebody else was given: that may stand behind these.
            const auto known = part == asked_.parts.end() ? shares_.end() : shares_.find(part->partition);
            if (known != shares_.end()) {
                read_history_from(known->second, known->second.newest.value_or(Position{}));
            }
            continue;
        }
        if (stream[1].count >= asked_.count) {
            full_.push_back(part->partition);
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
