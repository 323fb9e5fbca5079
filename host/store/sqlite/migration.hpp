// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

namespace weir::store::sqlite {

/**
 * Brings a file to a schema: creates what is missing, adopts what fits, and refuses everything else, all in one transaction.
 *
 * A table that another program made fits where its columns have the declared names, the same primary key, and types that hold the same
 * values: any type with SQLite's text affinity (and UUID, JSON, DATE..., TIME...) for texts, uuids, documents and times; any integer type,
 * BOOL... too for booleans, for integers; REAL, FLOAT, DOUBLE for float64; BLOB for bytes. Decimals are integers of the smallest unit here,
 * so a NUMERIC or DECIMAL column doesn't fit. A case-insensitive column needs COLLATE NOCASE. Columns that aren't declared have to be
 * nullable or have a default. Missing columns and indexes are added; missing references can't be.
 */
/// @param preview only says what would be done
MigrationSteps migrate(Connection &connection, const Schema &schema, bool preview = false);

/// Tables of the schema that were adopted and not made anew since.
std::vector<std::string> adopted_tables(Connection &connection, const Schema &schema);
/// Tables of the schema whose rows routes change.
std::vector<std::string> route_tables(Connection &connection, const Schema &schema);

/// Notes that a table was made anew from events. In a transaction.
void note_rebuilt(Connection &connection, const std::string &table);

} // namespace weir::store::sqlite
