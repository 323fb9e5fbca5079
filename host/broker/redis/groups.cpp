// SPDX-License-Identifier: Apache-2.0
// Streams, groups and acknowledgements of a consumer, over its control connection.
#include "consumer.hpp"
#include "failure.hpp"
#include "log/log.hpp"

#include <algorithm>

namespace weir::broker::redis {

namespace {
constexpr std::size_t kIdsInOneCommand = 1000;
/// Who lost its lease learns that within seconds and releases the partition; who still has it then is right after all.
constexpr std::chrono::seconds kGivenUpAfter{10};
} // namespace

std::map<std::string, std::vector<Stream>> RedisConsumer::find() { return find_streams(control_, subscription_.topics); }

void RedisConsumer::bind(const Stream &stream, std::optional<Position> stored) {
    const auto incarnation = incarnation_of(control_, stream.key);
    if (subscription_.parallel && incarnation) {
        stored = done_before(stream.partition, *incarnation);
    }
    {
        const std::lock_guard state(state_mutex_);
        Share &share = shares_[stream.partition];
        share.stored = stored;
        if (!share.bound || !incarnation || share.key != stream.key || share.origin.incarnation != *incarnation) {
            drop_fetched(stream.partition);
            share = Share{};
            share.epoch = ++epoch_;
            share.stored = stored;
        }
        if (!incarnation) {
            return; // gone again; it is looked for
        }
    }
    make_group(control_, stream.key, subscription_.group, stored);
    if (!subscription_.parallel) {
        be_latest(stream.key);
    }
    {
        const std::lock_guard state(state_mutex_);
        Share &share = shares_[stream.partition];
        if (share.superseded) {
            read_history_from(share, {});
            share.superseded.reset();
        }
        share.bound = true;
        share.settled = false;
        share.key = stream.key;
        share.origin = {stream.partition, *incarnation};
        keys_[stream.partition] = stream.key;
    }
    settle(stream.partition);
}

/// Parallel: where the store said that the partition is done, when this consumer was made.
std::optional<Position> RedisConsumer::done_before(const Partition &partition, const std::string &incarnation) const {
    for (const Done &one : subscription_.done) {
        if (one.partition == partition && one.incarnation == incarnation && one.through != Position{}) {
            return one.through;
        }
    }
    return std::nullopt;
}

/// Takes a name with a later claim than all that the group knows.
void RedisConsumer::be_latest(const std::string &key) {
    const Reply &consumers = control_.execute({"XINFO", "CONSUMERS", key, subscription_.group});
    if (consumers.is_error("NOGROUP")) {
        return;
    }
    std::uint64_t latest = 0;
    const std::lock_guard state(state_mutex_);
    for (const Reply &consumer : check(options_, consumers, "XINFO", key).array()) {
        const std::string_view name = consumer.value_of("name").text;
        latest = name == name_ ? latest : std::max(latest, claim_of(name));
    }
    if (latest >= claim_) {
        claim_ = latest + 1;
        name_ = new_name();
    }
}

void RedisConsumer::bind_found(const std::map<std::string, std::vector<Stream>> &found) {
    for (const auto &[topic, streams] : found) {
        for (const Stream &stream : streams) {
            std::optional<Position> stored;
            {
                const std::lock_guard state(state_mutex_);
                const auto share = shares_.find(stream.partition);
                const bool ours = subscription_.parallel || share != shares_.end();
                const bool superseded =
                    share != shares_.end() && share->second.superseded && Clock::now() - *share->second.superseded > kGivenUpAfter;
                if (!ours || (share != shares_.end() && share->second.bound && !superseded)) {
                    continue;
                }
                stored = superseded ? share->second.stored : std::nullopt;
            }
            bind(stream, stored);
        }
    }
}

void RedisConsumer::check_incarnations() {
    std::vector<std::pair<Partition, std::string>> known;
    Commands commands;
    {
        const std::lock_guard state(state_mutex_);
        for (const auto &[partition, share] : shares_) {
            if (share.bound) {
                known.emplace_back(partition, share.origin.incarnation);
                commands.add({"XINFO", "GROUPS", share.key});
            }
        }
    }
    if (known.empty()) {
        return;
    }
    std::vector<Partition> changed;
    const auto answers = control_.execute(commands);
    for (std::size_t at = 0; at < known.size(); ++at) {
        if (incarnation_in(*answers[at]) != known[at].second) {
            changed.push_back(known[at].first);
        }
    }
    for (const Partition &partition : changed) {
        restore(partition);
    }
}

void RedisConsumer::restore(const Partition &partition) {
    std::string key;
    std::string incarnation;
    {
        const std::lock_guard state(state_mutex_);
        const auto share = shares_.find(partition);
        if (share == shares_.end() || !share->second.bound) {
            return;
        }
        key = share->second.key;
        incarnation = share->second.origin.incarnation;
    }
    const auto now = incarnation_of(control_, key);
    if (now != incarnation) {
        log::warn("broker.topic_replaced",
                  now ? "A stream was deleted and made again; it is read from its beginning" : "A stream was deleted; it is waited for",
                  {{"topic", partition.topic}, {"partition", partition.number}, {"group", subscription_.group}});
        {
            const std::lock_guard state(state_mutex_);
            drop_fetched(partition);
            Share &share = shares_[partition];
            share = Share{};
            share.epoch = ++epoch_;
        }
        if (now) {
            bind({partition, key}, std::nullopt);
        }
        return;
    }
    std::optional<Position> from;
    {
        const std::lock_guard state(state_mutex_);
        Share &share = shares_[partition];
        if (subscription_.parallel) {
            from = share.stored; // others had pending entries too
        } else {
            const auto oldest = share.in_hand.oldest();
            from = oldest ? before(*oldest) : share.newest ? share.newest : share.stored;
        }
        read_history_from(share, {});
    }
    if (make_group(control_, key, subscription_.group, from)) {
        log::warn("broker.group_restored", "A group was gone from its stream; it was made again and goes on where it was",
                  {{"topic", partition.topic},
                   {"partition", partition.number},
                   {"group", subscription_.group},
                   {"position", from ? id_of(*from) : std::string("0-0")}});
    }
}

bool RedisConsumer::flush_acks() {
    if (acks_.empty()) {
        return true;
    }
    Commands commands;
    for (auto entry = acks_.begin(); entry != acks_.end();) {
        const auto &[topic, incarnation, number] = entry->first;
        std::string key;
        {
            const std::lock_guard state(state_mutex_);
            const auto share = shares_.find({topic, number});
            const auto known = keys_.find({topic, number});
            const bool other = share != shares_.end() && share->second.bound && share->second.origin.incarnation != incarnation;
            if (known == keys_.end() || other) {
                entry = acks_.erase(entry); // of a stream that was deleted: what it held pending went with it
                continue;
            }
            key = known->second;
        }
        const std::vector<Position> &positions = entry->second;
        for (std::size_t from = 0; from < positions.size(); from += kIdsInOneCommand) {
            const std::size_t count = std::min(positions.size() - from, kIdsInOneCommand);
            commands.begin(3 + count).word("XACK").word(key).word(subscription_.group);
            for (std::size_t at = from; at < from + count; ++at) {
                commands.word(id_of(positions[at]));
            }
        }
        ++entry;
    }
    if (acks_.empty()) {
        acks_waiting_ = false;
        return true;
    }
    try {
        for (const Reply *reply : control_.execute(commands)) {
            if (!reply->is_error("WRONGTYPE") && !reply->is_error("NOGROUP")) { // else nothing is pending there any more
                check(options_, *reply, "XACK", keys_.begin()->second);
            }
        }
    } catch (const Unavailable &) {
        return false; // kept in acks_, and tried again by the next call
    }
    const std::lock_guard state(state_mutex_);
    for (const auto &[key, positions] : acks_) {
        const auto &[topic, incarnation, number] = key;
        const auto share = shares_.find({topic, number});
        if (share != shares_.end() && share->second.origin.incarnation == incarnation) {
            for (const Position &position : positions) {
                share->second.in_hand.acknowledge(position);
                share->second.gone_in_hand.erase(position);
            }
        }
    }
    acks_.clear();
    acks_waiting_ = false;
    return true;
}

/// Ends the reader's blocking command, so that it asks again for what is now to be read. Where the user may not do this, it ends by itself.
void RedisConsumer::unblock() {
    if (const std::int64_t client = blocked_client_.load(); client != 0) {
        control_.execute({"CLIENT", "UNBLOCK", std::to_string(client)});
    }
}

/// Acknowledges what is left to be, and takes this consumer's name out of groups that hold nothing for it; if the server is there.
void RedisConsumer::leave() noexcept {
    try {
        const std::lock_guard control(control_mutex_);
        if (!control_.is_open()) {
            return;
        }
        flush_acks();
        if (reader_.awaits_answers()) {
            return; // the server may yet give something to the name
        }
        Commands ask;
        std::vector<std::string> keys;
        for (const auto &[partition, key] : keys_) {
            ask.add({"XPENDING", key, subscription_.group, "-", "+", "1", name_});
            keys.push_back(key);
        }
        if (keys.empty()) {
            return;
        }
        Commands leave;
        const auto answers = control_.execute(ask);
        for (std::size_t at = 0; at < keys.size(); ++at) {
            if (answers[at]->type == Reply::Type::array && answers[at]->count == 0) {
                leave.add({"XGROUP", "DELCONSUMER", keys[at], subscription_.group, name_});
            }
        }
        if (leave.count() > 0) {
            control_.execute(leave);
        }
    } catch (const std::exception &) {
        // What is not acknowledged is delivered again; a name without entries does no harm.
    }
}

} // namespace weir::broker::redis
