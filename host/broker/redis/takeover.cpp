// SPDX-License-Identifier: Apache-2.0
// Taking over what others hold. XAUTOCLAIM and XCLAIM of Redis 7 forget pending entries that the stream no longer holds, and say so once: a
// crash behind that answer would lose them without a dead letter. So the group is listed page by page (XPENDING, its cursor kept), what is
// gone from the stream stays pending until its dead letter is committed, and only what is there is claimed (docs/decisions/0021).
#include "consumer.hpp"
#include "failure.hpp"

#include <algorithm>

namespace weir::broker::redis {

namespace {
constexpr std::size_t kPage = 500;
constexpr Position kEnd{UINT64_MAX, UINT64_MAX};

struct Pending {
    Position position;
    std::string consumer;
    std::chrono::milliseconds idle;
    std::uint32_t deliveries;
};

/// A page of a group's pending entries behind `after`; of one consumer, where that is given.
std::vector<Pending> pending_after(Connection &connection, const std::string &key, const std::string &group, const Position &after,
                                   const std::string &consumer = {}) {
    Commands commands;
    const std::string from = "(" + id_of(after);
    const std::string count = std::to_string(kPage);
    if (consumer.empty()) {
        commands.add({"XPENDING", key, group, from, "+", count});
    } else {
        commands.add({"XPENDING", key, group, from, "+", count, consumer});
    }
    std::vector<Pending> out;
    const Reply &answer = *connection.execute(commands)[0];
    if (answer.is_error("NOGROUP")) {
        return out; // made again by the next read
    }
    for (const Reply &entry : check(connection.options(), answer, "XPENDING", key).array()) {
        if (const auto position = parse_id(entry[0].text)) {
            out.push_back({*position, std::string(entry[1].text), std::chrono::milliseconds(entry[2].integer),
                           static_cast<std::uint32_t>(entry[3].integer)});
        }
    }
    return out;
}

} // namespace

/// Those that the stream still holds. The others are noted, to be handed out as lost.
std::vector<RedisConsumer::Left> RedisConsumer::existing(const Partition &partition, const std::string &key,
                                                         const std::vector<Left> &left) {
    std::vector<Left> there;
    if (left.empty()) {
        return there;
    }
    Commands commands;
    for (const Left &entry : left) {
        const std::string id = id_of(entry.position);
        commands.add({"XRANGE", key, id, id});
    }
    const auto answers = control_.execute(commands);
    const std::lock_guard state(state_mutex_);
    Share &share = shares_[partition];
    for (std::size_t at = 0; at < left.size(); ++at) {
        if (check(options_, *answers[at], "XRANGE", key).count > 0) {
            there.push_back(left[at]);
        } else if (left[at].known) {
            share.gone_in_hand.insert(left[at].position);
        } else {
            share.gone.emplace(left[at].position, left[at].deliveries);
        }
    }
    return there;
}

/// @param hand_out the entries come with the answer and are handed out; else they come with the history
/// @param idle what is less idle by now was taken by somebody else
void RedisConsumer::give_to_us(const Partition &partition, const std::string &key, const std::vector<Left> &left, bool hand_out,
                               std::chrono::milliseconds idle) {
    if (left.empty()) {
        return;
    }
    Commands commands;
    commands.begin(5 + left.size() + (hand_out ? 0 : 1)).word("XCLAIM").word(key).word(subscription_.group).word(name());
    commands.word(std::to_string(idle.count()));
    for (const Left &entry : left) {
        commands.word(id_of(entry.position));
    }
    if (!hand_out) {
        commands.word("JUSTID");
    }
    const Reply &claimed = check(options_, *control_.execute(commands)[0], "XCLAIM", key);
    const bool all = claimed.count == left.size();
    {
        const std::lock_guard state(state_mutex_);
        Share &share = shares_[partition];
        for (const Reply &entry : claimed.array()) {
            if (!hand_out) {
                continue;
            }
            const auto position = parse_id(entry[0].text);
            const auto known = std::find_if(left.begin(), left.end(), [&](const Left &one) { return position == one.position; });
            if (known != left.end() && !share.in_hand.contains(*position)) {
                fetch(share, read_entry(share.origin, entry, known->deliveries + 1));
            }
        }
    }
    if (!all) {
        existing(partition, key, left); // what was removed from the stream between the look and the claim is noted as gone
    }
}

/// Ordered: takes over everything that others have; parallel: what former connections of this process had.
void RedisConsumer::settle(const Partition &partition) {
    std::string key;
    {
        const std::lock_guard state(state_mutex_);
        const auto share = shares_.find(partition);
        if (share == shares_.end() || !share->second.bound) {
            return;
        }
        key = share->second.key;
        share->second.left_cursor = {};
    }
    if (subscription_.parallel) {
        take_left(partition, std::chrono::hours(24 * 365), static_cast<std::size_t>(-1));
    } else {
        take_over(partition, key);
    }
    settled(partition);
}

void RedisConsumer::settled(const Partition &partition) {
    const std::lock_guard state(state_mutex_);
    if (const auto share = shares_.find(partition); share != shares_.end()) { // it may have been released meanwhile
        share->second.settled = true;
    }
}

/// Ordered: whether others hold something that isn't known to be gone from the stream. By their ids: how many they are says nothing, since
/// those that are known leave when somebody who was taken over acknowledges them late.
bool RedisConsumer::has_foreign(const Partition &partition, const std::vector<std::string> &others) {
    std::string key;
    {
        const std::lock_guard state(state_mutex_);
        const auto share = shares_.find(partition);
        if (share == shares_.end() || !share->second.bound) {
            return false;
        }
        key = share->second.key;
    }
    for (const std::string &consumer : others) {
        Position cursor;
        for (std::size_t count = kPage; count == kPage;) {
            const auto page = pending_after(control_, key, subscription_.group, cursor, consumer);
            count = page.size();
            const std::lock_guard state(state_mutex_);
            const auto share = shares_.find(partition);
            if (share == shares_.end()) {
                return false;
            }
            for (const Pending &entry : page) {
                cursor = entry.position;
                if (!share->second.gone_in_hand.contains(entry.position) && !share->second.gone.contains(entry.position)) {
                    return true;
                }
            }
        }
    }
    return false;
}

/// Gives to this consumer everything that is pending under other names; what of it is not in hand comes with the history.
void RedisConsumer::take_over(const Partition &partition, const std::string &key) {
    const std::string own = name();
    std::optional<Position> first;
    Position cursor;
    for (;;) {
        const auto page = pending_after(control_, key, subscription_.group, cursor);
        std::vector<Left> left;
        {
            const std::lock_guard state(state_mutex_);
            const Share &share = shares_[partition];
            for (const Pending &entry : page) {
                cursor = entry.position;
                if (entry.consumer != own && !share.gone_in_hand.contains(entry.position) && !share.gone.contains(entry.position)) {
                    left.push_back({entry.position, entry.deliveries, share.in_hand.contains(entry.position)});
                }
            }
        }
        for (const Left &entry : left) {
            if (!entry.known && !first) {
                first = entry.position;
                const std::lock_guard state(state_mutex_);
                read_history_from(shares_[partition], before(*first)); // before they are ours: what follows may fail
            }
        }
        give_to_us(partition, key, existing(partition, key, left), false, std::chrono::milliseconds(0));
        if (page.size() < kPage) {
            return;
        }
    }
}

/// Parallel: takes what others have left for `idle`, and what former connections of this process had. Goes on where it stopped.
void RedisConsumer::take_left(const Partition &partition, std::chrono::milliseconds idle, std::size_t pages) {
    std::string key;
    {
        const std::lock_guard state(state_mutex_);
        const auto share = shares_.find(partition);
        if (share == shares_.end() || !share->second.bound) {
            return;
        }
        key = share->second.key;
    }
    const std::string own = name();
    std::optional<std::set<std::string>> alive; // asked for where it matters, which is seldom: a group may have very many names
    for (std::size_t turn = 0; turn < pages; ++turn) {
        Position cursor;
        {
            const std::lock_guard state(state_mutex_);
            cursor = shares_[partition].left_cursor;
        }
        const auto page = pending_after(control_, key, subscription_.group, cursor);
        std::vector<const Pending *> idle_ones;
        std::vector<Left> former;
        std::vector<Left> known;
        {
            const std::lock_guard state(state_mutex_);
            Share &share = shares_[partition];
            for (const Pending &entry : page) {
                const bool in_hand = share.in_hand.contains(entry.position);
                if (entry.consumer != own && is_ours(entry.consumer)) {
                    (in_hand ? known : former).push_back({entry.position, entry.deliveries, in_hand});
                } else if (entry.consumer != own && entry.idle >= idle && !in_hand) {
                    idle_ones.push_back(&entry);
                }
            }
            share.left_cursor = page.size() < kPage ? Position{} : page.back().position;
        }
        give_to_us(partition, key, existing(partition, key, known), false, std::chrono::milliseconds(0));
        give_to_us(partition, key, existing(partition, key, former), true, std::chrono::milliseconds(0));
        if (!idle_ones.empty() && !alive) {
            alive = living(key, idle);
        }
        std::vector<Left> orphaned;
        for (const Pending *entry : idle_ones) {
            if (!alive->contains(entry->consumer)) {
                orphaned.push_back({entry->position, entry->deliveries, false});
            }
        }
        give_to_us(partition, key, existing(partition, key, orphaned), true, idle);
        const std::lock_guard state(state_mutex_);
        fetch_gone(shares_[partition], kEnd);
        constexpr std::size_t kEnough = 2000;
        if (page.size() < kPage || fetched_.size() >= kEnough) {
            return;
        }
    }
}

/// Parallel: what this consumer holds stays its own. Reading its history beyond the last possible entry tells the server that the consumer
/// lives, and touches no entry: claiming them anew would forget those that the stream no longer holds.
void RedisConsumer::keep_own(const std::string &key) {
    const std::string own = name();
    const std::string end = id_of({kEnd.high, 0}); // not the very last id: the server would begin again behind it
    const Reply &answer = control_.execute({"XREADGROUP", "GROUP", subscription_.group, own, "COUNT", "1", "STREAMS", key, end});
    if (!answer.is_error("NOGROUP")) { // made again by the next read
        check(options_, answer, "XREADGROUP", key);
    }
}

/// Consumers of Weir's that have asked the server for something within `idle`: what they hold is theirs, however long they have had it.
std::set<std::string> RedisConsumer::living(const std::string &key, std::chrono::milliseconds idle) {
    std::set<std::string> names;
    const Reply &consumers = control_.execute({"XINFO", "CONSUMERS", key, subscription_.group});
    if (consumers.is_error("NOGROUP")) {
        return names;
    }
    for (const Reply &consumer : check(options_, consumers, "XINFO", key).array()) {
        const std::string_view name = consumer.value_of("name").text;
        if (claim_in(name) && consumer.value_of("idle").integer < idle.count()) {
            names.emplace(name);
        }
    }
    return names;
}

/// What stands at or before the last entry that was given to anybody, and isn't pending, was acknowledged. Both are asked for at one
/// moment: a group that is lost and made again in between would seem to have nothing pending.
std::vector<Done> RedisConsumer::done() {
    std::vector<Done> all;
    if (!subscription_.parallel) {
        return all;
    }
    const std::lock_guard control(control_mutex_);
    std::vector<std::string> keys;
    {
        const std::lock_guard state(state_mutex_);
        for (const auto &[partition, share] : shares_) {
            if (share.bound) {
                all.push_back({partition, share.origin.incarnation, {}});
                keys.push_back(share.key);
            }
        }
    }
    for (std::size_t at = 0; at < all.size(); ++at) {
        Commands commands;
        commands.add({"MULTI"}).add({"XINFO", "GROUPS", keys[at]}).add({"XPENDING", keys[at], subscription_.group}).add({"EXEC"});
        const Reply &both = *control_.execute(commands)[3]; // an error where the user has no right to MULTI: then it can't be told
        const Reply *group = both.count == 2 && !both[0].is_error() ? find_group(both[0], subscription_.group) : nullptr;
        if (!group || both[1].is_error() || incarnation_in(both[0]) != all[at].incarnation) {
            continue;
        }
        const auto delivered = parse_id(group->value_of("last-delivered-id").text);
        const auto oldest = parse_id(both[1][1].text);
        if (delivered && (oldest || both[1][0].integer == 0)) {
            all[at].through = oldest ? std::min(*delivered, before(*oldest)) : *delivered;
        }
        const std::lock_guard state(state_mutex_);
        const auto share = shares_.find(all[at].partition);
        if (share != shares_.end() && share->second.origin.incarnation == all[at].incarnation) {
            share->second.stored = std::max(share->second.stored, std::optional(all[at].through));
        }
    }
    std::erase_if(all, [](const Done &one) { return one.through == Position{}; });
    return all;
}

} // namespace weir::broker::redis
