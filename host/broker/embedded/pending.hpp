// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::broker::embedded {

/// Offsets `first` to `last`, both included.
struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
};

/// Offsets, kept as ranges that neither touch nor overlap.
class OffsetSet {
public:
    void add(Range range);
    void remove(Range range);
    void clear() { ranges_.clear(); }
    bool empty() const { return ranges_.empty(); }
    std::vector<Range> ranges() const;
    /// The parts of `range` that are not in the set, in order.
    std::vector<Range> missing_in(Range range) const;

private:
    std::map<std::uint64_t, std::uint64_t> ranges_; ///< first -> last
};

/// Delivered to a group and not acknowledged: one row of `pending`. Rows of a stream and group never overlap.
struct PendingRange {
    Range range;
    std::string consumer;
    std::int64_t delivered_at = 0; ///< see `boot_clock`
    std::uint32_t deliveries = 0;
};

/// Microseconds since the machine started: what idle times are measured with, since the wall clock may jump. The same in all processes; a
/// time from before a restart may lie in the future, and then counts as long ago.
std::int64_t boot_clock() noexcept;

/// The rows of one group on one stream. All but the reading ones want a transaction.
class Pending {
public:
    Pending(Connection &connection, std::int64_t stream, const std::string &group)
        : connection_(connection), stream_(stream), group_(group) {}

    /// The first row that shares an offset with `range`.
    std::optional<PendingRange> overlapping(Range range);
    std::vector<PendingRange> all();
    void insert(const PendingRange &row);
    void erase(const PendingRange &row);
    /// Takes `range`'s offsets out, splitting rows where needed. Offsets that aren't there are no error.
    void acknowledge(Range range);
    /// All rows become this consumer's.
    void give_to(const std::string &consumer);
    /// This consumer's rows are as if delivered now.
    void touch(const std::string &consumer, std::int64_t now);
    /// Gives rows of other consumers, delivered at or before `before` or after `now`, to this one.
    void steal(const std::string &consumer, std::int64_t before, std::int64_t now);
    std::uint64_t count();

private:
    Connection &connection_;
    std::int64_t stream_;
    const std::string &group_;
};

} // namespace weir::broker::embedded
