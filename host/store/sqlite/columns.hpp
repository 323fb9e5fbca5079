// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "statement.hpp"

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
/// The current results of a query for all columns.
Row take_row(Query &query, std::size_t columns);

} // namespace weir::store::sqlite
