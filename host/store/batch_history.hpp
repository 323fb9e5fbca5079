// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "batch_table.hpp"

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

namespace weir::store {

/**
 * What each event of a batch stated and read, and whose reading has come to nothing because an event before it was forgotten.
 *
 * Until it is indexed it only notes who read what, since most batches never need more.
 */
class BatchHistory {
public:
    struct Place {
        std::uint32_t table = 0;
        std::uint32_t number = 0; ///< of a row's slot, or of a change
    };

    void read(std::size_t event, std::uint32_t table, std::uint32_t slot);
    void stated(const std::deque<BatchTable> &tables, std::size_t event, std::uint32_t table, std::uint32_t change);

    /// Sorts what was noted by event, once; to be called before what follows.
    void index(const std::deque<BatchTable> &tables);
    bool is_indexed() const { return indexed_; }

    /// Changes of an event, in the order in which it stated them.
    const std::vector<Place> &changes(std::size_t event) const;
    std::vector<std::size_t> changing(const std::deque<BatchTable> &tables, std::uint32_t table, std::uint32_t slot) const;
    void forget(const std::deque<BatchTable> &tables, std::size_t event);
    bool holds(std::size_t event) const;
    bool is_read_behind(const std::deque<BatchTable> &tables, std::size_t event) const;

private:
    struct OfEvent {
        std::vector<Place> changes;
        std::vector<Place> reads;
        std::uint64_t since = 0; ///< the last `forget` that it has seen the consequences of
    };
    struct Reading {
        std::size_t event;
        Place row;
    };
    /// Since when those behind an event see another row than before.
    struct Difference {
        std::size_t event;
        std::uint64_t since;
    };

    OfEvent &of(std::size_t event);
    void differs(Place row, std::size_t event);

    std::vector<Reading> readings_; ///< before it is indexed
    bool indexed_ = false;
    std::vector<OfEvent> events_;
    std::unordered_map<std::uint64_t, std::vector<Difference>> differences_; ///< by row
    std::uint64_t now_ = 0;                                                  ///< counts what is forgotten
};

} // namespace weir::store
