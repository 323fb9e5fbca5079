// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/schema.hpp"

#include <string>
#include <vector>

namespace weir::store::postgresql {

/// A table, and what its declaration can't say.
struct TableForm {
    Table table;
    std::string checks;                  ///< further table constraints, each with a comma before it
    bool numbered = false;               ///< its single integer key numbers the rows by itself and never uses a number twice
    std::vector<std::string> plain_json; ///< columns that are json, not jsonb
};

/// The tables that every domain has.
std::vector<TableForm> standard_tables();

} // namespace weir::store::postgresql
