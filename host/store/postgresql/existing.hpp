// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "place.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::store::postgresql {

// What a schema holds already.

struct ExistingColumn {
    std::string name;
    std::string type;  ///< as format_type says it, without length: "character varying"; that of an enumeration with its schema
    int modifier = -1; ///< atttypmod: length or precision; -1 where there is none
    bool not_null = false;
    bool has_default = false; ///< or numbers rows by itself
    bool generated = false;
    bool is_enumeration = false;
    std::string labels; ///< of an enumeration: 'a', 'b'
    std::string collation;

    /// The length in characters of a varchar; nothing where there is no limit.
    std::optional<std::size_t> longest() const;
};

struct ExistingIndex {
    std::string name;
    bool unique = false;
    bool partial = false;
    std::vector<std::string> columns; ///< names; expressions in lower case without parentheses, quotes, blanks and casts to text
};

struct ExistingReference {
    std::string name;
    std::string target_table;
    std::vector<std::string> columns;
    std::vector<std::string> target_columns;
    bool acts = false;       ///< has an action other than to refuse
    bool deferrable = false; ///< can be checked at the end of a flush
};

struct ExistingTable {
    char kind = 'r'; ///< pg_class.relkind
    std::vector<ExistingColumn> columns;
    std::vector<std::string> primary_key;
    std::vector<ExistingIndex> indexes;
    std::vector<ExistingReference> references;

    const ExistingColumn *column(const std::string &name) const;
};

/// All tables and views of the schema, by name.
std::map<std::string, ExistingTable> read_existing(Connection &connection, const Place &place);

} // namespace weir::store::postgresql
