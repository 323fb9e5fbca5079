// SPDX-License-Identifier: Apache-2.0
#include "pending.hpp"

#include <algorithm>
#include <ctime>

namespace weir::broker::embedded {

void OffsetSet::add(Range range) {
    auto at = ranges_.upper_bound(range.first);
    if (at != ranges_.begin() && std::prev(at)->second + 1 >= range.first) {
        --at;
    }
    while (at != ranges_.end() && at->first <= range.last + 1) {
        range.first = std::min(range.first, at->first);
        range.last = std::max(range.last, at->second);
        at = ranges_.erase(at);
    }
    ranges_.emplace(range.first, range.last);
}

void OffsetSet::remove(Range range) {
    auto at = ranges_.upper_bound(range.first);
    if (at != ranges_.begin() && std::prev(at)->second >= range.first) {
        --at;
    }
    while (at != ranges_.end() && at->first <= range.last) {
        const Range cut{at->first, at->second};
        at = ranges_.erase(at);
        if (cut.first < range.first) {
            ranges_.emplace(cut.first, range.first - 1);
        }
        if (cut.last > range.last) {
            at = ranges_.emplace(range.last + 1, cut.last).first;
            break;
        }
    }
}

std::vector<Range> OffsetSet::ranges() const {
    std::vector<Range> out;
    out.reserve(ranges_.size());
    for (const auto &[first, last] : ranges_) {
        out.push_back({first, last});
    }
    return out;
}

std::vector<Range> OffsetSet::missing_in(Range range) const {
    std::vector<Range> out;
    auto at = ranges_.upper_bound(range.first);
    if (at != ranges_.begin() && std::prev(at)->second >= range.first) {
        --at;
    }
    for (; range.first <= range.last && at != ranges_.end() && at->first <= range.last; ++at) {
        if (at->first > range.first) {
            out.push_back({range.first, at->first - 1});
        }
        range.first = at->second + 1;
    }
    if (range.first <= range.last) {
        out.push_back(range);
    }
    return out;
}

std::int64_t boot_clock() noexcept {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1000000 + time.tv_nsec / 1000;
}

namespace {
PendingRange row_of(Statement &row) {
    return {{static_cast<std::uint64_t>(row.integer(0)), static_cast<std::uint64_t>(row.integer(1))},
            row.text(2),
            row.integer(3),
            static_cast<std::uint32_t>(row.integer(4))};
}
} // namespace

std::optional<PendingRange> Pending::overlapping(Range range) {
    // Rows don't overlap, so only the last one that begins at or before range.first can reach into it; the search starts there.
    Statement &find =
        connection_.statement("SELECT first, last, consumer, delivered_at, deliveries FROM pending WHERE stream = ?1 AND grp = ?2 AND "
                              "first >= ifnull((SELECT max(first) FROM pending WHERE stream = ?1 AND grp = ?2 AND first <= ?3), ?3) AND "
                              "first <= ?4 AND last >= ?3 ORDER BY first LIMIT 1",
                              "itii", "iitii");
    return find.first(stream_, group_, range.first, range.last) ? std::optional(row_of(find)) : std::nullopt;
}

std::vector<PendingRange> Pending::all() {
    Statement &list = connection_.statement(
        "SELECT first, last, consumer, delivered_at, deliveries FROM pending WHERE stream = ? AND grp = ? ORDER BY first", "it", "iitii");
    std::vector<PendingRange> rows;
    for (bool more = list.start(stream_, group_); more; more = list.next()) {
        rows.push_back(row_of(list));
    }
    return rows;
}

void Pending::insert(const PendingRange &row) {
    connection_
        .statement("INSERT INTO pending(stream, grp, first, last, consumer, delivered_at, deliveries) VALUES(?, ?, ?, ?, ?, ?, ?)",
                   "itiitii", "")
        .run(stream_, group_, row.range.first, row.range.last, row.consumer, row.delivered_at, row.deliveries);
}

void Pending::erase(const PendingRange &row) {
    connection_.statement("DELETE FROM pending WHERE stream = ? AND grp = ? AND first = ?", "iti", "")
        .run(stream_, group_, row.range.first);
}

void Pending::acknowledge(Range range) {
    while (const auto row = overlapping(range)) {
        erase(*row);
        PendingRange rest = *row;
        if (row->range.first < range.first) {
            rest.range = {row->range.first, range.first - 1};
            insert(rest);
        }
        if (row->range.last > range.last) {
            rest.range = {range.last + 1, row->range.last};
            insert(rest);
        }
        if (row->range.last >= range.last) {
            return;
        }
        range.first = row->range.last + 1;
    }
}

void Pending::give_to(const std::string &consumer) {
    connection_.statement("UPDATE pending SET consumer = ? WHERE stream = ? AND grp = ?", "tit", "").run(consumer, stream_, group_);
}

void Pending::touch(const std::string &consumer, std::int64_t now) {
    connection_.statement("UPDATE pending SET delivered_at = ? WHERE stream = ? AND grp = ? AND consumer = ?", "iitt", "")
        .run(now, stream_, group_, consumer);
}

void Pending::steal(const std::string &consumer, std::int64_t before, std::int64_t now) {
    connection_
        .statement("UPDATE pending SET consumer = ?1, delivered_at = ?2 WHERE stream = ?3 AND grp = ?4 AND consumer <> ?1 AND "
                   "(delivered_at <= ?5 OR delivered_at > ?2)",
                   "tiiti", "")
        .run(consumer, now, stream_, group_, before);
}

std::uint64_t Pending::count() {
    Statement &sum = connection_.statement("SELECT ifnull(sum(last - first + 1), 0) FROM pending WHERE stream = ? AND grp = ?", "it", "i");
    sum.first(stream_, group_);
    return static_cast<std::uint64_t>(sum.integer(0));
}

} // namespace weir::broker::embedded
