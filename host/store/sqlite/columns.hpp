// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "statement.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::store::sqlite {

// The pieces of SQL about a declared table's columns.

/// "a", "b", "c"
std::string all_columns(const Table &table);
std::vector<Storage> all_storages(const Table &table);
/// "k" = ? and "l" = ?
std::string key_condition(const Table &table);
std::vector<Storage> key_storages(const Table &table);
/// The same of other columns than the key's.
std::string condition(const Table &table, std::span<const std::uint32_t> columns);
std::vector<Storage> storages_of(const Table &table, std::span<const std::uint32_t> columns);
/// Some cells of a row.
/// @param columns of all its cells; empty: those declared, in their order
std::vector<Value> cells_of(std::span<const std::uint32_t> columns, const Row &row, std::span<const std::uint32_t> wanted);
/// The current results of a query for all columns.
Row take_row(Query &query, std::size_t columns);

} // namespace weir::store::sqlite
