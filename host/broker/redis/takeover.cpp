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
    for (std::size_t turn = 0; turn < pages; ++turn) {
        Position cursor;
        {
            const std::lock_guard state(state_mutex_);
            cursor = shares_[partition].left_cursor;
        }
        const auto page = pending_after(control_, key, subscription_.group, cursor);
        std::vector<Left> idle_ones;
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
                    idle_ones.push_back({entry.position, entry.deliveries, false});
                }
            }
            share.left_cursor = page.size() < kPage ? Position{} : page.back().position;
        }
        give_to_us(partition, key, existing(partition, key, known), false, std::chrono::milliseconds(0));
        give_to_us(partition, key, existing(partition, key, former), true, std::chrono::milliseconds(0));
        give_to_us(partition, key, existing(partition, key, idle_ones), true, idle);
        const std::lock_guard state(state_mutex_);
        fetch_gone(shares_[partition], kEnd);
        constexpr std::size_t kEnough = 2000;
        if (page.size() < kPage || fetched_.size() >= kEnough) {
            return;
        }
    }
}

/// Parallel: what this consumer holds is not idle. Entries that are gone from the stream are left alone: claiming would forget them.
void RedisConsumer::keep_own(const std::string &key, std::chrono::milliseconds idle) {
    const std::string own = name();
    const Reply &first = check(options_, control_.execute({"XRANGE", key, "-", "+", "COUNT", "1"}), "XRANGE", key);
    const auto oldest = parse_id(first[0][0].text);
    for (Position cursor; oldest;) {
        const auto page = pending_after(control_, key, subscription_.group, cursor, own);
        std::vector<std::string> ids;
        for (const Pending &entry : page) {
            cursor = entry.position;
            if (entry.position >= *oldest && entry.idle >= idle / 8) {
                ids.push_back(id_of(entry.position));
            }
        }
        if (!ids.empty()) {
            Commands commands;
            commands.begin(6 + ids.size()).word("XCLAIM").word(key).word(subscription_.group).word(own).word("0");
            for (const std::string &id : ids) {
                commands.word(id);
            }
            commands.word("JUSTID");
            check(options_, *control_.execute(commands)[0], "XCLAIM", key);
        }
        if (page.size() < kPage) {
            return;
        }
    }
}

} // namespace weir::broker::redis
