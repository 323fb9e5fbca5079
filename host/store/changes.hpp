// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/time.hpp"
#include "event/uuid.hpp"
#include "store/schema.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir::store {

enum class ChangeKind : std::uint8_t { upsert = 1, insert, update, erase };
enum class CellOperation : std::uint8_t { set = 1, keep, add, max, min };

struct Cell {
    std::uint32_t column = 0;
    CellOperation operation = CellOperation::set;
    Value value;
};

struct Guard {
    std::uint32_t column = 0;
    Value value; ///< never null
};

/// One change to one row, checked and canonical (see `check_change`).
struct Change {
    std::uint32_t table = 0;
    ChangeKind kind = ChangeKind::upsert;
    Key key;                 ///< in the order of the primary key
    std::vector<Cell> cells; ///< the others; no column twice
    std::optional<Guard> guard;
};

/// Checks a change against its table and brings its values to canonical form: types, nulls, operations that fit their types, a guard that
/// can be compared, and for upsert and insert that every column without a default and not nullable is stated. A null to `add` becomes the 0
/// that it counts as; a null to `max` or `min` stays, where the column may be null. Returns the reason it is refused.
std::optional<std::string> check_change(const Schema &schema, Change &change);

/// What an event gives to a row that it makes: its clock for Default::now, its id for Default::new_id (UUIDv5 of its id and the names of
/// table and column and the comparable key, so that every row and column that one event makes has an id of its own, the same in every
/// rerun).
struct Origin {
    event::Micros now = 0;
    event::Uuid event_id;
};

/// The primary meaning of a change, and the model that folding is held against: applies one change to one row (nothing: absent).
/// @param stale set where the guard turned it away
/// @return the reason the change is refused (overflow, null where none may be); the row is untouched then
std::optional<std::string> apply_change(const Table &table, const Change &change, const Origin &origin, std::optional<Row> &row,
                                        bool &stale);

/// How the rows of one shape are written: inserted, and where the row exists, `insert` does nothing and `upsert` brings the value to each
/// cell by its operation, as apply_change does (add: null counts as 0; max, min: null counts as absent, on either side). All columns are
/// stated; those that no change named are `keep`. Rows are sorted by comparable key, keys are unique within the whole flush of a table.
struct BlindShape {
    ChangeKind kind = ChangeKind::upsert; ///< upsert or insert
    std::vector<std::uint32_t> columns;   ///< those stated, key columns first in key order
    std::vector<CellOperation>
        operations; ///< for each of `columns` where the row exists; `set` for key columns, which stay as they are spelled
};
struct BlindWrite {
    BlindShape shape;
    std::vector<Row> rows; ///< each as long as shape.columns
};

/// Everything that is to be written to one table. To be written in the order: erased, changed, created, blind.
struct TableFlush {
    std::uint32_t table = 0;
    std::vector<Key> erased; ///< rows known to exist
    /// Columns in which any of `changed` differs; others need not be written. A citext key column is among them where a row was erased and
    /// made again with another spelling: the row is still found by its comparable key.
    std::vector<std::uint32_t> changed_columns;
    std::vector<Row> changed; ///< whole rows known to exist
    std::vector<Row> created; ///< whole rows known to be absent; a conflict means: run the batch again
    std::vector<BlindWrite> blind;
};

/// Where rows come from: one sorted, locking statement a call. Keys are comparable keys, sorted and unique. Returns one entry a key, in
/// their order.
using FetchRows = std::function<std::vector<std::optional<Row>>(std::uint32_t table, std::span<const Key> keys)>;

/// The failure of one event's change when it is evaluated against the row.
struct ChangeFailure {
    std::size_t event = 0; ///< as given to `add`
    std::string reason;
};

/// Rows were asked for that the store can't tell yet; see `BatchRows::expect_written`. Nothing has changed.
class RowsUnwritten : public std::logic_error {
public:
    RowsUnwritten() : std::logic_error("rows were asked for while others are still to be written") {}
};

/**
 * The rows that one batch works on: takes changes in order, reads through them, and folds them into one flush.
 *
 * Law: flushing what `finish` returns leaves the rows that `apply_change` of each change alone, in order, leaves.
 *
 * What events stated and read is kept to the end: where the store refuses the flush, `restart` begins another fold, of some of the events,
 * and nothing needs to be stated anew but what an event would not state again.
 *
 * Not thread-safe. Order of calls: (prefetch | supply | read | add | again | forget)*, then finish; from the beginning after restart.
 */
class BatchRows {
public:
    /// @param schema outlives this
    BatchRows(const Schema &schema, FetchRows fetch);
    ~BatchRows();

    /// Fetches rows ahead, one statement a table. Keys may repeat and come in any order.
    void prefetch(std::uint32_t table, std::vector<Key> keys);

    /// Hands in rows that were fetched elsewhere within the same transaction, before anything of this batch was written. Keys are
    /// comparable keys, one row each; rows that are known by now stay as they are.
    void supply(std::uint32_t table, std::span<const Key> keys, std::vector<std::optional<Row>> rows);

    /// The row as it is after all changes added so far; nothing where it is absent. Fetches it where it isn't there yet.
    /// A failure of an earlier change that comes to light here is kept for `failure`.
    std::optional<Row> read(std::uint32_t table, const Key &key);
    /// The same for an event, which rests on that row from now on.
    std::optional<Row> read(std::size_t event, std::uint32_t table, const Key &key);

    /// Adds an event's changes, all of them. `event` numbers grow.
    void add(std::size_t event, const Origin &origin, std::span<const Change> changes);
    /// The same, without copying them.
    void add(std::size_t event, const Origin &origin, std::vector<Change> &&changes);

    /// The first event whose change could not be evaluated; the batch must then be run again without it.
    const std::optional<ChangeFailure> &failure() const;

    /// Fetches what guards, updates and erasures still need, evaluates, folds. Tables come in the order of their references: those referred
    /// to first; erasures must be written in the reverse order before everything else. Where references go in a circle, or from a table to
    /// itself, no order of rows is right: stores that check row by row must put such checks off to the commit. Where `failure` is set, the
    /// result is empty. Once, or once after each restart.
    std::vector<TableFlush> finish();

    /// Events of which at least one change was turned away by its guard, ascending. After `finish`.
    const std::vector<std::size_t> &stale() const;

    /* Where a flush is refused and rolled back. */

    /// Begins again with no event: rows are as they were fetched, or `written` since.
    void restart();
    /// Tells that the store took what `finish` returned, and keeps it.
    void written(std::vector<TableFlush> flush);
    /// The same of what the store is about to be given, together with what is folded next: it counts as written until it is said not to be.
    /// Until then rows can't be fetched, since the store doesn't hold it yet: whatever needs one throws RowsUnwritten.
    void expect_written(std::vector<TableFlush> flush);
    /// The store did not take it.
    void not_written();
    /// Whether folding the event by itself fetches no row, wherever in the batch that is done: each row that it changes is known, or is
    /// changed by no other event. It doesn't have to be so for `false`.
    bool folds_by_itself(std::size_t event) const;
    /// Whether an event behind it has read a row that it changes.
    bool is_read_behind(std::size_t event) const;
    /// Whether an event would read what it has read: no event before it was forgotten since that changed, or changes now, a row that it
    /// read.
    bool holds(std::size_t event) const;
    /// Adds what an event stated once more.
    void again(std::size_t event);
    /// Adds what it stated of one row, and nothing else of it.
    void again(std::size_t event, std::uint32_t table, const Key &key);
    /// What an event stated and read is no more: it runs anew, or counts no longer.
    void forget(std::size_t event);
    /// The events that state something of a row, ascending, each once.
    std::vector<std::size_t> changing(std::uint32_t table, const Key &key);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace weir::store
