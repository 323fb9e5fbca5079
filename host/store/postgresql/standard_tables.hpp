// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/schema.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace weir::store::postgresql {

/// What a text of a standard table may be; else any, of any length.
struct StandardText {
    std::vector<std::string> values; ///< nothing else
    std::size_t length = 0; ///< in characters, at most; or what is left of one that is cut where the column is too short. 0: no limit
};

/// A table, and what its declaration can't say.
struct TableForm {
    Table table;
    std::string checks;                  ///< further table constraints, each with a comma before it
    bool numbered = false;               ///< its single integer key numbers the rows by itself and never uses a number twice
    std::vector<std::string> plain_json; ///< columns that are json, not jsonb
    std::map<std::string, StandardText> texts;
};

/// The tables that every domain has.
std::vector<TableForm> standard_tables();

} // namespace weir::store::postgresql
