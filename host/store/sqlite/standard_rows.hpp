// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

#include "store/store.hpp"

#include <span>

namespace weir::store::sqlite {

/// Keeps letters, in a transaction; one whose event has a letter already is left as it is. What another program's table refuses is the
/// schema's fault: throws SchemaWrong.
void insert_letters(Connection &connection, std::span<const DeadLetter> letters);

/// Adds events to the young generation of the ledger, in a transaction. Throws RunAgain where one is there.
void insert_entries(Connection &connection, std::span<const LedgerEntry> entries);

} // namespace weir::store::sqlite
