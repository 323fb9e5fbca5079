// SPDX-License-Identifier: Apache-2.0
#include "columns.hpp"

#include "connection.hpp"

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

std::string key_condition(const Table &table) {
    std::string sql;
    for (const std::uint32_t key : table.primary_key) {
        const Column &column = table.columns[key];
        sql += (sql.empty() ? "" : " and ") + quote_name(column.name) + " = " + placeholder(storage_of(column.type));
    }
    return sql;
}

std::vector<Storage> key_storages(const Table &table) {
    std::vector<Storage> storages;
    storages.reserve(table.primary_key.size());
    for (const std::uint32_t key : table.primary_key) {
        storages.push_back(storage_of(table.columns[key].type));
    }
    return storages;
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
