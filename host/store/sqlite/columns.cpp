// SPDX-License-Identifier: Apache-2.0
#include "columns.hpp"

#include "connection.hpp"

#include <algorithm>

namespace weir::store::sqlite {

std::string all_columns(const Table &table) {
    std::string sql;
    for (const Column &column : table.columns) {
        sql += (sql.empty() ? "" : ", ") + quote_name(column.name);
    }
    return sql;
}

std::vector<Storage> all_storages(const Table &table) {
    std::vector<Storage> storages;
    storages.reserve(table.columns.size());
    for (const Column &column : table.columns) {
        storages.push_back(storage_of(column.type));
    }
    return storages;
}

std::string key_condition(const Table &table) { return condition(table, table.primary_key); }

std::string condition(const Table &table, std::span<const std::uint32_t> columns) {
    std::string sql;
    for (const std::uint32_t number : columns) {
        const Column &column = table.columns[number];
        sql += (sql.empty() ? "" : " and ") + quote_name(column.name) + " = " + placeholder(storage_of(column.type));
    }
    return sql;
}

std::vector<Storage> key_storages(const Table &table) { return storages_of(table, table.primary_key); }

std::vector<Storage> storages_of(const Table &table, std::span<const std::uint32_t> columns) {
    std::vector<Storage> storages;
    storages.reserve(columns.size());
    for (const std::uint32_t column : columns) {
        storages.push_back(storage_of(table.columns[column].type));
    }
    return storages;
}

std::vector<Value> cells_of(std::span<const std::uint32_t> columns, const Row &row, std::span<const std::uint32_t> wanted) {
    std::vector<Value> cells;
    cells.reserve(wanted.size());
    for (const std::uint32_t column : wanted) {
        const auto cell =
            columns.empty() ? static_cast<std::ptrdiff_t>(column) : std::find(columns.begin(), columns.end(), column) - columns.begin();
        cells.push_back(row.at(static_cast<std::size_t>(cell)));
    }
    return cells;
}

Row take_row(Query &query, std::size_t columns) {
    Row row;
    row.reserve(columns);
    for (std::size_t i = 0; i < columns; ++i) {
        row.push_back(query.take(i));
    }
    return row;
}

} // namespace weir::store::sqlite
