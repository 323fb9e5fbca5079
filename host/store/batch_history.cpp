// SPDX-License-Identifier: Apache-2.0
#include "batch_history.hpp"

#include <algorithm>

namespace weir::store {

namespace {

std::uint64_t row_number(BatchHistory::Place row) { return (std::uint64_t{row.table} << 32U) | row.number; }

} // namespace

BatchHistory::OfEvent &BatchHistory::of(std::size_t event) {
    if (event >= events_.size()) {
        events_.resize(event + 1);
    }
    return events_[event];
}

void BatchHistory::read(std::size_t event, std::uint32_t table, std::uint32_t slot) {
    if (indexed_) {
        of(event).reads.push_back({table, slot});
    } else {
        readings_.push_back({event, {table, slot}});
    }
}

void BatchHistory::stated(const std::deque<BatchTable> &tables, std::size_t event, std::uint32_t table, std::uint32_t change) {
    of(event).changes.push_back({table, change});
    if (now_ != 0) {
        differs({table, tables[table].stated(change).slot}, event);
    }
}

void BatchHistory::index(const std::deque<BatchTable> &tables) {
    if (indexed_) {
        return;
    }
    indexed_ = true;
    for (const Reading &reading : readings_) {
        of(reading.event).reads.push_back(reading.row);
    }
    readings_ = {};
    for (std::uint32_t table = 0; table < tables.size(); ++table) {
        for (std::uint32_t change = 0; change < tables[table].stated(); ++change) {
            stated(tables, tables[table].stated(change).event, table, change);
        }
    }
}

const std::vector<BatchHistory::Place> &BatchHistory::changes(std::size_t event) const {
    static const std::vector<Place> none;
    return event < events_.size() ? events_[event].changes : none;
}

std::vector<std::size_t> BatchHistory::changing(const std::deque<BatchTable> &tables, std::uint32_t table, std::uint32_t slot) const {
    std::vector<std::size_t> result;
    for (std::size_t event = 0; event < events_.size(); ++event) {
        const std::vector<Place> &changes = events_[event].changes;
        if (std::any_of(changes.begin(), changes.end(),
                        [&](Place change) { return change.table == table && tables[table].stated(change.number).slot == slot; })) {
            result.push_back(event);
        }
    }
    return result;
}

void BatchHistory::differs(Place row, std::size_t event) {
    std::vector<Difference> &known = differences_[row_number(row)];
    const auto same = std::find_if(known.begin(), known.end(), [&](const Difference &one) { return one.event == event; });
    if (same == known.end()) {
        known.push_back({event, now_});
    } else {
        same->since = now_;
    }
}

void BatchHistory::forget(const std::deque<BatchTable> &tables, std::size_t event) {
    OfEvent &forgotten = of(event);
    ++now_;
    for (const Place change : forgotten.changes) {
        differs({change.table, tables[change.table].stated(change.number).slot}, event);
    }
    forgotten.changes.clear();
    forgotten.reads.clear();
    forgotten.since = now_;
}

bool BatchHistory::holds(std::size_t event) const {
    if (event >= events_.size()) {
        return true;
    }
    const OfEvent &asked = events_[event];
    return std::none_of(asked.reads.begin(), asked.reads.end(), [&](Place row) {
        const auto found = differences_.find(row_number(row));
        return found != differences_.end() && std::any_of(found->second.begin(), found->second.end(), [&](const Difference &one) {
                   return one.event < event && one.since > asked.since;
               });
    });
}

bool BatchHistory::is_read_behind(const std::deque<BatchTable> &tables, std::size_t event) const {
    std::vector<std::uint64_t> changed;
    for (const Place change : changes(event)) {
        changed.push_back(row_number({change.table, tables[change.table].stated(change.number).slot}));
    }
    for (std::size_t behind = event + 1; behind < events_.size(); ++behind) {
        for (const Place row : events_[behind].reads) {
            if (std::find(changed.begin(), changed.end(), row_number(row)) != changed.end()) {
                return true;
            }
        }
    }
    return false;
}

} // namespace weir::store
