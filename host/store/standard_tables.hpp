// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/schema.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir::store {

/// What `schema_migrations` says of a table whose rows routes change.
inline std::string route_change_step(const std::string &table) { return "changed by routes: table " + table; }

/// The migration's step after which an older table of the ledger's counts tells requests from events: what it holds until then is
/// undivided.
inline constexpr std::string_view kCountsDivided = "added column event_ledger_counts.undivided";

/// A table that every domain has, in every store. How its types lie there is the adapter's own.
struct StandardTable {
    Table table;
    std::string checks;                  ///< further table constraints in SQL, each with a comma before it
    bool numbered = false;               ///< its single integer key numbers the rows by itself and never uses a number twice
    std::vector<std::string> as_written; ///< columns of JSON that have to be read byte by byte as they were written
};

/// All of them, in the order in which they are made.
/// @param sharded_counts whether the ledger's counts are kept in parts, so that hosts that write one schema at once don't wait for each
/// other's row
std::vector<StandardTable> standard_tables(bool sharded_counts);

/// The young generation of the ledger, which is one of them, and is made anew whenever it is sealed.
StandardTable young_ledger();

} // namespace weir::store
