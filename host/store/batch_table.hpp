// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_rules.hpp"
#include "store/changes.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace weir::store {

/// A change as it was stated, kept to the end of the batch.
struct StatedChange {
    Change change;
    std::size_t event = 0;
    Origin origin;
    std::uint32_t slot = 0; ///< of its row
    std::uint32_t next = 0; ///< the next one of the same row that waits for the fold or for the row; see kNone
};

inline constexpr std::uint32_t kNone = 0xFFFFFFFFU;

/// One row of the batch: either known (then no change is pending), or not yet.
struct RowSlot {
    std::uint64_t hash = 0;
    const Key *key = nullptr; ///< as it was first spelled; lives as long as its BatchTable
    std::uint32_t first_pending = kNone;
    std::uint32_t last_pending = kNone;
    bool known = false;
    bool touched = false;       ///< `current` counts; before that the row is as it was fetched
    std::optional<Row> fetched; ///< as the store has it
    std::optional<Row> current; ///< after all changes
    const std::optional<Row> &row() const { return touched ? current : fetched; }
};

/// Events whose changes were turned away by guards, and the first whose change could not be evaluated. Filled in any order.
struct Evaluation {
    std::vector<std::size_t> stale;
    std::optional<ChangeFailure> failure;
    void note_failure(std::size_t event, std::string reason);
};

/// The rows that a batch touches in one table, found by comparable key.
class BatchTable {
public:
    explicit BatchTable(const Table &table) : table_(table), rules_(table) {}

    const Table &table() const { return table_; }
    const KeyRules &rules() const { return rules_; }

    /// The row's slot, made where it isn't there. Valid until the next `slot`.
    /// @tparam Given a `Key` to be moved, or a `const Key &` to be copied where it is kept
    template <class Given> RowSlot &slot(Given &&key) { return slots_[index(std::forward<Given>(key))]; }
    /// Its number, which stays.
    template <class Given> std::uint32_t index(Given &&key);
    RowSlot &at(std::uint32_t slot) { return slots_[slot]; }
    Key key_of(const Row &row) const;

    /// Takes the next change of a row: evaluates it where the row is known, else keeps it.
    /// @tparam Given a `Change` to be moved, or a `const Change &` to be copied where it is kept
    template <class Given> void add(std::size_t event, const Origin &origin, Given &&change, Evaluation &evaluation);

    /// Makes a row known, as it was fetched, and evaluates what is pending for it.
    void supply(RowSlot &slot, std::optional<Row> row, Evaluation &evaluation);

    /// Slots in the order of their keys. Valid until the next `slot`.
    std::vector<RowSlot *> sorted();

    /// How many changes were stated, and each.
    std::uint32_t stated() const { return static_cast<std::uint32_t>(stated_.size()); }
    const StatedChange &stated(std::uint32_t change) const { return stated_[change]; }

    /// Takes back all changes: rows are as they were fetched.
    void restart();
    /// Takes a change that was stated before.
    void again(std::uint32_t change, Evaluation &evaluation);

private:
    void evaluate(RowSlot &slot, std::size_t event, const Origin &origin, const Change &change, Evaluation &evaluation) const;
    std::uint32_t make_slot(std::uint64_t hash, const Key *key);
    std::uint32_t *place(std::uint64_t hash, const Key &key);
    void grow();

    const Table &table_;
    KeyRules rules_;
    std::vector<RowSlot> slots_;
    std::vector<std::uint32_t> places_; ///< an open-addressed table of indexes into `slots_`, a power of two long
    std::deque<StatedChange> stated_;   ///< a deque: slots point to the keys in it
    std::deque<Key> keys_;              ///< of slots that no change made
};

} // namespace weir::store
