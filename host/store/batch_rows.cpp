// SPDX-License-Identifier: Apache-2.0
#include "store/changes.hpp"

#include "batch_history.hpp"
#include "batch_table.hpp"
#include "flush_fold.hpp"
#include "table_order.hpp"

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <utility>

namespace weir::store {

struct BatchRows::State {
    State(const Schema &given, FetchRows fetch_rows) : schema(given), fetch(std::move(fetch_rows)) {
        for (const Table &table : schema.tables) {
            tables.emplace_back(table);
        }
    }

    BatchTable &table(std::uint32_t index) {
        if (index >= tables.size()) {
            throw std::out_of_range("table " + std::to_string(index) + " is not in the schema");
        }
        return tables[index];
    }

    /// Fetches the rows of slots that are sorted by key.
    void supply(std::uint32_t index, std::span<RowSlot *const> slots) {
        if (slots.empty()) {
            return;
        }
        if (is_ahead) {
            throw RowsUnwritten();
        }
        BatchTable &batch_table = tables[index];
        std::vector<Key> keys;
        keys.reserve(slots.size());
        for (const RowSlot *slot : slots) {
            keys.push_back(batch_table.rules().comparable(*slot->key));
        }
        std::vector<std::optional<Row>> rows = fetch(index, keys);
        if (rows.size() != keys.size()) {
            throw std::logic_error("the store answered " + std::to_string(rows.size()) + " rows for " + std::to_string(keys.size()) +
                                   " keys");
        }
        for (std::size_t i = 0; i < slots.size(); ++i) {
            batch_table.supply(*slots[i], std::move(rows[i]), evaluation);
        }
    }

    /// The row in the slot as it is now; fetches it where it isn't there yet.
    std::optional<Row> read(std::uint32_t index, std::uint32_t number) {
        RowSlot &slot = tables[index].at(number);
        if (!slot.known) {
            RowSlot *const missing[] = {&slot};
            supply(index, missing);
        }
        return slot.row();
    }

    void add(std::size_t event, const Origin &origin, auto &&change) {
        const std::uint32_t index = change.table;
        BatchTable &batch_table = table(index);
        batch_table.add(event, origin, std::forward<decltype(change)>(change), evaluation);
        if (history.is_indexed()) {
            history.stated(tables, event, index, batch_table.stated() - 1);
        }
    }

    const Schema &schema;
    FetchRows fetch;
    std::deque<BatchTable> tables;
    Evaluation evaluation;
    BatchHistory history;
    struct Replaced {
        std::uint32_t table;
        std::uint32_t slot;
        std::optional<Row> row;
    };
    std::vector<Replaced> expected; ///< what rows were before they were said to be about to be written
    bool is_ahead = false;          ///< they are not written yet
};

BatchRows::BatchRows(const Schema &schema, FetchRows fetch) : state_(std::make_unique<State>(schema, std::move(fetch))) {}
BatchRows::~BatchRows() = default;

void BatchRows::prefetch(std::uint32_t table, std::vector<Key> keys) {
    BatchTable &batch_table = state_->table(table);
    for (Key &key : keys) {
        batch_table.slot(std::move(key));
    }
    std::vector<RowSlot *> missing = batch_table.sorted();
    std::erase_if(missing, [](const RowSlot *slot) { return slot->known; });
    state_->supply(table, missing);
}

void BatchRows::supply(std::uint32_t table, std::span<const Key> keys, std::vector<std::optional<Row>> rows) {
    if (rows.size() != keys.size()) {
        throw std::logic_error(std::to_string(rows.size()) + " rows were handed in for " + std::to_string(keys.size()) + " keys");
    }
    BatchTable &batch_table = state_->table(table);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (RowSlot &slot = batch_table.slot(keys[i]); !slot.known) {
            batch_table.supply(slot, std::move(rows[i]), state_->evaluation);
        }
    }
}

std::optional<Row> BatchRows::read(std::uint32_t table, const Key &key) { return state_->read(table, state_->table(table).index(key)); }

std::optional<Row> BatchRows::read(std::size_t event, std::uint32_t table, const Key &key) {
    const std::uint32_t slot = state_->table(table).index(key);
    state_->history.read(event, table, slot);
    return state_->read(table, slot);
}

void BatchRows::add(std::size_t event, const Origin &origin, std::span<const Change> changes) {
    for (const Change &change : changes) {
        state_->add(event, origin, change);
    }
}

void BatchRows::add(std::size_t event, const Origin &origin, std::vector<Change> &&changes) {
    for (Change &change : changes) {
        state_->add(event, origin, std::move(change));
    }
}

const std::optional<ChangeFailure> &BatchRows::failure() const { return state_->evaluation.failure; }

std::vector<TableFlush> BatchRows::finish() {
    std::vector<TableFlush> by_index(state_->tables.size());
    for (std::uint32_t i = 0; i < by_index.size(); ++i) {
        BatchTable &table = state_->tables[i];
        by_index[i].table = i;
        const std::vector<RowSlot *> slots = table.sorted();
        state_->supply(i, fold_blind(table, slots, by_index[i].blind));
        fold_known(table, slots, by_index[i]);
    }
    std::vector<std::size_t> &stale = state_->evaluation.stale;
    std::sort(stale.begin(), stale.end());
    stale.erase(std::unique(stale.begin(), stale.end()), stale.end());

    std::vector<TableFlush> result;
    if (!state_->evaluation.failure) {
        for (const std::uint32_t i : tables_by_reference(state_->schema)) {
            if (const TableFlush &flush = by_index[i];
                !flush.erased.empty() || !flush.changed.empty() || !flush.created.empty() || !flush.blind.empty()) {
                result.push_back(std::move(by_index[i]));
            }
        }
    }
    return result;
}

const std::vector<std::size_t> &BatchRows::stale() const { return state_->evaluation.stale; }

void BatchRows::restart() {
    state_->history.index(state_->tables);
    for (BatchTable &table : state_->tables) {
        table.restart();
    }
    state_->evaluation = {};
}

void BatchRows::written(std::vector<TableFlush> flush) {
    expect_written(std::move(flush));
    state_->expected.clear();
    state_->is_ahead = false;
}

void BatchRows::expect_written(std::vector<TableFlush> flush) {
    state_->expected.clear();
    state_->is_ahead = true;
    const auto replace = [&](std::uint32_t table, const Key &key, std::optional<Row> row) {
        const std::uint32_t slot = state_->tables[table].index(key);
        state_->expected.push_back({table, slot, std::exchange(state_->tables[table].at(slot).fetched, std::move(row))});
    };
    for (TableFlush &of_table : flush) {
        const BatchTable &table = state_->table(of_table.table);
        for (const Key &key : of_table.erased) {
            replace(of_table.table, key, std::nullopt);
        }
        for (std::vector<Row> *rows : {&of_table.changed, &of_table.created}) {
            for (Row &row : *rows) {
                const Key key = table.key_of(row);
                replace(of_table.table, key, std::move(row));
            }
        }
    }
}

void BatchRows::not_written() {
    for (State::Replaced &one : state_->expected) {
        state_->tables[one.table].at(one.slot).fetched = std::move(one.row);
    }
    state_->expected.clear();
    state_->is_ahead = false;
}

bool BatchRows::is_read_behind(std::size_t event) const { return state_->history.is_read_behind(state_->tables, event); }

bool BatchRows::folds_by_itself(std::size_t event) const {
    constexpr std::size_t kLookedAt = 16; // each is a look at the whole batch
    const std::vector<BatchHistory::Place> &changes = state_->history.changes(event);
    return changes.size() <= kLookedAt && std::all_of(changes.begin(), changes.end(), [&](BatchHistory::Place change) {
               BatchTable &table = state_->tables[change.table];
               const std::uint32_t slot = table.stated(change.number).slot;
               return table.at(slot).known || state_->history.changing(state_->tables, change.table, slot).size() == 1;
           });
}

bool BatchRows::holds(std::size_t event) const { return state_->history.holds(event); }

void BatchRows::again(std::size_t event) {
    for (const BatchHistory::Place change : state_->history.changes(event)) {
        state_->tables[change.table].again(change.number, state_->evaluation);
    }
}

void BatchRows::again(std::size_t event, std::uint32_t table, const Key &key) {
    BatchTable &batch_table = state_->table(table);
    const std::uint32_t slot = batch_table.index(key);
    for (const BatchHistory::Place change : state_->history.changes(event)) {
        if (change.table == table && batch_table.stated(change.number).slot == slot) {
            batch_table.again(change.number, state_->evaluation);
        }
    }
}

void BatchRows::forget(std::size_t event) {
    state_->history.index(state_->tables);
    state_->history.forget(state_->tables, event);
}

std::vector<std::size_t> BatchRows::changing(std::uint32_t table, const Key &key) {
    state_->history.index(state_->tables);
    return state_->history.changing(state_->tables, table, state_->table(table).index(key));
}

} // namespace weir::store
