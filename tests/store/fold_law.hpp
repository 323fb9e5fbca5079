// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "random.hpp"
#include "store/changes.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

namespace weir::test {

/// What the law is held against: a store with the tables of one schema. An adapter's test wraps a session.
class StoreUnderTest {
public:
    virtual ~StoreUnderTest() = default;
    /// Keys are sorted, unique and comparable; one entry a key.
    virtual std::vector<std::optional<store::Row>> fetch(std::uint32_t table, std::span<const store::Key> keys) = 0;
    /// Writes all or, where it throws, nothing. Throws DataOutOfRange where a sum leaves its column's range.
    virtual void flush(std::span<const store::TableFlush> tables) = 0;
    /// All rows of a table, in any order.
    virtual std::vector<store::Row> rows(std::uint32_t table) = 0;
};

/// Data that a store refuses; adapters' tests translate their own exception into it.
class DataOutOfRange : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct LawOptions {
    std::size_t batches_max = 4;
    std::size_t events_max = 20; ///< of one batch
    std::size_t changes_max = 3; ///< of one event
    bool refusals = false;       ///< lets through changes that are refused when they are evaluated
};

/// How much of everything a run has met, so that a test can see that it met it.
struct LawCounts {
    std::size_t sequences = 0;
    std::size_t changes = 0;
    std::size_t stale = 0;
    std::size_t reads = 0;
    std::size_t failures = 0; ///< batches that ran again without an event
    std::size_t blind = 0;    ///< rows of each part of the flushes
    std::size_t folded = 0;   ///< blind rows of more than one change
    std::size_t erased = 0;
    std::size_t changed = 0;
    std::size_t created = 0;
};

/**
 * Runs one random sequence of batches against a store, starting from the rows that are in it, and holds after each batch: the store has the
 * rows that apply_change of each change alone, in order, leaves; reads in between saw the same; the stale events are the same ones. Where
 * changes are refused, the event that BatchRows names is one that is refused when its changes are applied one by one, and the batch without
 * it goes on.
 * @return what is broken, with the changes of the batch; nothing where the law holds
 */
std::optional<std::string> hold_fold_law(const store::Schema &schema, StoreUnderTest &store, Random &random, const LawOptions &options,
                                         LawCounts &counts);

} // namespace weir::test
