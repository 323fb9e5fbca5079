// SPDX-License-Identifier: Apache-2.0
#include "open_references.hpp"

#include "columns.hpp"

#include <algorithm>

namespace weir::store::sqlite {

namespace {

class References {
public:
    References(Connection &connection, const Schema &schema) : connection_(connection), schema_(schema) {}

    /// One of these rows that refers to a row that isn't there.
    /// @param columns of their cells; empty: those declared, in their order
    std::optional<RefusedRow> open_from(std::uint32_t number, std::span<const std::uint32_t> columns, std::span<const Row> rows) {
        const Table &table = schema_.tables[number];
        for (const Reference &reference : table.references) {
            for (const Row &row : rows) {
                const std::vector<Value> values = cells_of(columns, row, reference.columns);
                const bool refers = std::none_of(values.begin(), values.end(),
                                                 [](const Value &value) { return std::holds_alternative<std::monostate>(value); });
                if (refers && !is_there(reference.target_table, reference.target_columns, values)) {
                    return RefusedRow{number, cells_of(columns, row, table.primary_key)};
                }
            }
        }
        return std::nullopt;
    }

    /// One of these rows to which another still refers.
    std::optional<RefusedRow> open_to(std::uint32_t number, std::span<const Key> erased) {
        const std::vector<std::uint32_t> &key_columns = schema_.tables[number].primary_key;
        for (std::uint32_t from = 0; from < schema_.tables.size(); ++from) {
            for (const Reference &reference : schema_.tables[from].references) {
                const std::vector<std::uint32_t> &targets = reference.target_columns;
                if (reference.target_table != number ||
                    !std::is_permutation(key_columns.begin(), key_columns.end(), targets.begin(), targets.end())) {
                    continue;
                }
                const auto found = std::find_if(erased.begin(), erased.end(), [&](const Key &key) {
                    return is_there(from, reference.columns, cells_of(key_columns, key, targets));
                });
                if (found != erased.end()) {
                    return RefusedRow{number, *found};
                }
            }
        }
        return std::nullopt;
    }

private:
    bool is_there(std::uint32_t number, std::span<const std::uint32_t> columns, const std::vector<Value> &values) {
        const Table &table = schema_.tables[number];
        bool found = false;
        connection_.guard([&] {
            Query &query =
                connection_.query("select 1 from " + connection_.qualified(table.name) + " where " + condition(table, columns) + " limit 1",
                                  storages_of(table, columns), std::vector{Storage::integer});
            for (std::size_t i = 0; i < values.size(); ++i) {
                query.value(i, values[i]);
            }
            query.each([&](Query &) { found = true; });
        });
        return found;
    }

    Connection &connection_;
    const Schema &schema_;
};

} // namespace

std::optional<RefusedRow> open_reference(Connection &connection, const Schema &schema, std::span<const TableFlush> tables) {
    References references(connection, schema);
    for (const TableFlush &flush : tables) {
        std::optional<RefusedRow> row = references.open_from(flush.table, {}, flush.changed);
        if (!row) {
            row = references.open_from(flush.table, {}, flush.created);
        }
        for (auto write = flush.blind.begin(); !row && write != flush.blind.end(); ++write) {
            row = references.open_from(flush.table, write->shape.columns, write->rows);
        }
        if (!row) {
            row = references.open_to(flush.table, flush.erased);
        }
        if (row) {
            return row;
        }
    }
    return std::nullopt;
}

} // namespace weir::store::sqlite
