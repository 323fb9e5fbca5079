// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/schema.hpp"

#include <string>
#include <vector>

namespace weir::store::sqlite {

/// A table, and what its declaration can't say.
struct TableForm {
    Table table;
    std::string checks;         ///< further table constraints, each with a comma before it
    bool numbered = false;      ///< its single integer key numbers the rows by itself and never uses a number twice
    bool without_rowid = false; ///< keyed by the primary key alone: one tree less where rows are small
};

/// The tables that every domain has.
std::vector<TableForm> standard_tables();

/// The young generation of the ledger.
TableForm event_ledger();

/// The form of a domain's own table.
TableForm own_table(const Table &table);

} // namespace weir::store::sqlite
