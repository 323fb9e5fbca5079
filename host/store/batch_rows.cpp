// SPDX-License-Identifier: Apache-2.0
#include "store/changes.hpp"

#include "batch_table.hpp"
#include "flush_fold.hpp"
#include "table_order.hpp"

#include <algorithm>
#include <deque>
#include <stdexcept>

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

    const Schema &schema;
    FetchRows fetch;
    std::deque<BatchTable> tables;
    Evaluation evaluation;
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

std::optional<Row> BatchRows::read(std::uint32_t table, const Key &key) {
    RowSlot &slot = state_->table(table).slot(key);
    if (!slot.known) {
        RowSlot *const missing[] = {&slot};
        state_->supply(table, missing);
    }
    return slot.row();
}

void BatchRows::add(std::size_t event, const Origin &origin, std::span<const Change> changes) {
    for (const Change &change : changes) {
        state_->table(change.table).add(event, origin, change, state_->evaluation);
    }
}

void BatchRows::add(std::size_t event, const Origin &origin, std::vector<Change> &&changes) {
    for (Change &change : changes) {
        state_->table(change.table).add(event, origin, std::move(change), state_->evaluation);
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

} // namespace weir::store
