// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "standard_tables.hpp"

#include "event/time.hpp"

#include <set>
#include <string>
#include <vector>

namespace weir::store::postgresql {

/// A type as `schema_migrations` keeps it, to tell a change of type that the database's own types don't show.
std::string declared_type(const Column &column);

/// The type in SQL that Weir gives to a column: "numeric(10,2)", "text collate \"C\"".
std::string sql_type(const TableForm &form, const Column &column);

/// SQL that creates a table, without its references. A case-insensitive key is not the primary key but a unique index, see
/// `folded_key_sql`.
std::string create_table_sql(const std::string &schema, const TableForm &form);

/// Whether a part of the primary key is case-insensitive.
bool has_folded_key(const Table &table);

/// The unique index that stands in for a primary key with case-insensitive parts.
Index folded_key(const Table &table);

/// SQL that adds a column. @param now what rows that are there get where the default is the event's clock
std::string add_column_sql(const std::string &schema, const TableForm &form, const Column &column, event::Micros now);

/// SQL that creates an index. One that isn't unique ends in the primary key, so that a scan along it is in order and can go on anywhere.
/// @param enumerations columns of another program's that have an order of their own
std::string create_index_sql(const std::string &schema, const Table &table, const Index &index, const std::set<std::string> &enumerations);

/// The columns of an index as `ExistingIndex::columns` has them. @param extended with the primary key behind them
std::vector<std::string> index_expressions(const Table &table, const Index &index, bool extended);

/// SQL that adds a reference, checked at the end of a flush, without actions.
std::string add_reference_sql(const std::string &schema, const Table &table, const Reference &reference, const std::vector<Table> &all);

} // namespace weir::store::postgresql
