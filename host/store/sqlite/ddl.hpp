// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "standard_tables.hpp"

#include "event/time.hpp"

#include <string>

namespace weir::store::sqlite {

/// A type as `schema_migrations` keeps it, to tell a change of type that SQLite's own types don't show: "decimal(10,2)".
std::string declared_type(const Column &column);

/// SQL that creates a table. @param all the tables that `form.table.references` counts in
std::string create_table_sql(const std::string &schema, const TableForm &form, const std::vector<Table> &all);

/// SQL that adds a column. @param now what rows that are there get where the default is the event's clock
std::string add_column_sql(const std::string &schema, const Table &table, const Column &column, event::Micros now);

/// SQL that creates an index. One that isn't unique ends in the primary key, so that a scan along it is in order and can go on anywhere.
std::string create_index_sql(const std::string &schema, const Table &table, const Index &index);

/// Columns of an index as it is made.
std::vector<std::uint32_t> index_columns(const Table &table, const Index &index);

} // namespace weir::store::sqlite
