// SPDX-License-Identifier: Apache-2.0
// How a consumer comes by its messages: one short transaction decides which offsets are whose; their bodies are read afterwards.
#include "consumer.hpp"

#include <algorithm>

namespace weir::broker::embedded {

bool EmbeddedConsumer::anything_to_take() {
    Statement &streams = reader_.statement("SELECT ifnull(max(id), 0), count(*) FROM streams", "", "ii");
    streams.first();
    const std::pair<std::int64_t, std::int64_t> now(streams.integer(0), streams.integer(1));
    if (now != streams_seen_) {
        find_shares();
        streams_seen_ = now;
    }
    bool any = false;
    for (auto &[partition, share] : shares_) {
        if (!share.bound) {
            continue;
        }
        Statement &ends = reader_.statement(
            "SELECT s.first, s.next, c.next FROM streams s LEFT JOIN cursors c ON c.stream = s.id AND c.grp = ? WHERE s.id = ?", "ti",
            "iii");
        if (!ends.first(subscription_.group, share.stream.id)) {
            share.bound = false;
            streams_seen_ = {-1, -1};
            continue;
        }
        share.stream.first = static_cast<std::uint64_t>(ends.integer(0));
        share.stream.next = static_cast<std::uint64_t>(ends.integer(1));
        if (ends.is_null(2)) {
            restore_group(share);
        } else {
            share.cursor = static_cast<std::uint64_t>(ends.integer(2));
        }
        any = any || !share.waiting.empty() || share.cursor < share.stream.next;
    }
    return any;
}

void EmbeddedConsumer::find_shares() {
    std::vector<std::pair<Partition, std::pair<Topic, Stream>>> found;
    for (const std::string &name : subscription_.topics) {
        if (const auto topic = find_topic(reader_, name)) {
            for (const Stream &stream : streams_of(reader_, topic->id)) {
                found.push_back({{name, stream.number}, {*topic, stream}});
            }
        }
    }
    for (const auto &[partition, place] : found) {
        const auto share = shares_.find(partition);
        const bool ours = subscription_.parallel || share != shares_.end();
        if (ours && (share == shares_.end() || !share->second.bound || share->second.stream.id != place.second.id)) {
            bind(partition, place.first, place.second);
        }
    }
}

void EmbeddedConsumer::bind(const Partition &partition, const Topic &topic, const Stream &stream) {
    Share share;
    share.bound = true;
    share.topic = topic;
    share.stream = stream;
    Transaction transaction(reader_, core_->write_lock);
    reader_
        .statement("INSERT INTO cursors(stream, grp, next) SELECT id, ?, first FROM streams WHERE id = ? ON CONFLICT DO NOTHING", "ti", "")
        .run(subscription_.group, stream.id);
    if (!subscription_.parallel) {
        Pending(reader_, stream.id, subscription_.group).give_to(subscription_.consumer);
    }
    queue_pending(reader_, share, subscription_);
    transaction.commit();
    shares_.insert_or_assign(partition, std::move(share));
}

void EmbeddedConsumer::restore_group(Share &share) {
    // Somebody removed the group while we read. It goes on where it was, and what we have in hand is pending again.
    Transaction transaction(reader_, core_->write_lock);
    share.cursor = std::clamp(share.cursor, share.stream.first, share.stream.next);
    reader_.statement("INSERT INTO cursors(stream, grp, next) VALUES(?, ?, ?) ON CONFLICT DO NOTHING", "iti", "")
        .run(share.stream.id, subscription_.group, share.cursor);
    Pending pending(reader_, share.stream.id, subscription_.group);
    for (const Range &range : share.handed.ranges()) {
        pending.acknowledge(range);
        pending.insert({range, subscription_.consumer, boot_clock(), 1});
    }
    for (const Range &range : share.waiting) {
        pending.acknowledge(range);
        pending.insert({range, subscription_.consumer, boot_clock(), 0});
    }
    transaction.commit();
}

std::vector<EmbeddedConsumer::Taken> EmbeddedConsumer::take(const ReadLimits &limits) {
    struct After {
        std::map<Partition, Share>::iterator share;
        std::deque<Range> waiting;
        std::uint64_t cursor;
    };
    std::vector<After> after;
    std::vector<Taken> taken;
    Room room{limits.max_messages, limits.max_bytes};
    Transaction transaction(reader_, core_->write_lock);
    auto share = std::next(shares_.begin(), static_cast<std::ptrdiff_t>(turn_++ % shares_.size()));
    for (std::size_t visited = 0; visited < shares_.size() && !room.full; ++visited) {
        if (share->second.bound) {
            After &then = after.emplace_back(After{share, share->second.waiting, share->second.cursor});
            take_waiting(share->first, share->second, then.waiting, room, taken);
            if (then.waiting.empty() && !room.full) {
                take_new(share->first, share->second, then.cursor, room, taken);
            }
        }
        if (++share == shares_.end()) {
            share = shares_.begin();
        }
    }
    transaction.commit();
    for (After &then : after) {
        then.share->second.waiting = std::move(then.waiting);
        then.share->second.cursor = then.cursor;
    }
    for (const Taken &part : taken) {
        shares_.find(part.partition)->second.handed.add(part.range);
    }
    return taken;
}

void EmbeddedConsumer::take_waiting(const Partition &partition, Share &share, std::deque<Range> &waiting, Room &room,
                                    std::vector<Taken> &taken) {
    Pending pending(reader_, share.stream.id, subscription_.group);
    while (!waiting.empty() && !room.full) {
        Range &front = waiting.front();
        const auto row = pending.overlapping(front);
        if (!row) {
            waiting.pop_front(); // acknowledged meanwhile
            continue;
        }
        const Range here{std::max(front.first, row->range.first), std::min(front.last, row->range.last)};
        std::uint64_t done = here.last;
        if (row->consumer == subscription_.consumer) { // else somebody took it over
            const std::uint64_t wanted = here.last - here.first + 1;
            const std::uint64_t count = fitting(reader_, share.stream.id, here.first, here.last, room.messages, room.bytes, taken.empty());
            room.full = count < wanted || room.messages == 0;
            if (count == 0) {
                return;
            }
            done = here.first + count - 1;
            PendingRange part = *row;
            pending.erase(*row);
            if (row->range.first < here.first) {
                part.range = {row->range.first, here.first - 1};
                pending.insert(part);
            }
            if (done < row->range.last) {
                part.range = {done + 1, row->range.last};
                pending.insert(part);
            }
            const PendingRange handed{{here.first, done}, subscription_.consumer, boot_clock(), row->deliveries + 1};
            pending.insert(handed);
            taken.push_back({partition, share.topic, share.stream, handed.range, handed.deliveries});
        }
        if (done >= front.last) {
            waiting.pop_front();
        } else {
            front.first = done + 1;
        }
    }
}

void EmbeddedConsumer::take_new(const Partition &partition, Share &share, std::uint64_t &cursor, Room &room, std::vector<Taken> &taken) {
    // Asked again inside the transaction: in parallel mode others move the cursor too.
    Statement &ends = reader_.statement(
        "SELECT s.next, c.next FROM streams s JOIN cursors c ON c.stream = s.id AND c.grp = ? WHERE s.id = ?", "ti", "ii");
    if (!ends.first(subscription_.group, share.stream.id)) {
        return;
    }
    const auto next = static_cast<std::uint64_t>(ends.integer(0));
    cursor = static_cast<std::uint64_t>(ends.integer(1));
    if (cursor >= next) {
        return;
    }
    const std::uint64_t count = fitting(reader_, share.stream.id, cursor, next - 1, room.messages, room.bytes, taken.empty());
    room.full = count < next - cursor || room.messages == 0;
    if (count == 0) {
        return;
    }
    const PendingRange handed{{cursor, cursor + count - 1}, subscription_.consumer, boot_clock(), 1};
    Pending(reader_, share.stream.id, subscription_.group).insert(handed);
    cursor += count;
    reader_.statement("UPDATE cursors SET next = ? WHERE stream = ? AND grp = ?", "iit", "")
        .run(cursor, share.stream.id, subscription_.group);
    taken.push_back({partition, share.topic, share.stream, handed.range, 1});
}

} // namespace weir::broker::embedded
