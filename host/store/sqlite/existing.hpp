// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::store::sqlite {

// What a file holds already. Names are in lower case: SQLite doesn't tell cases apart.

struct ExistingColumn {
    std::string name;
    std::string declared_type; ///< in upper case, "" where there is none
    bool not_null = false;
    bool has_default = false;
    bool generated = false;
    int key_position = 0; ///< 1 for the first column of the primary key, 0 outside it
    std::string collation;
};

struct ExistingIndex {
    std::string name;
    bool unique = false;
    bool partial = false;
    std::vector<std::string> columns; ///< "" for an expression
};

struct ExistingReference {
    std::string target_table;
    std::vector<std::string> columns;
    std::vector<std::string> target_columns; ///< empty: the primary key
    bool acts = false;                       ///< has an action other than to refuse
};

struct ExistingTable {
    std::string type; ///< "table", "view" or "virtual"
    std::vector<ExistingColumn> columns;
    std::vector<ExistingIndex> indexes;
    std::vector<ExistingReference> references;

    const ExistingColumn *column(const std::string &name) const;
};

/// All tables and views of the file, by name.
std::map<std::string, ExistingTable> read_existing(Connection &connection);

} // namespace weir::store::sqlite
