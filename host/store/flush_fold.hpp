// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "batch_table.hpp"
#include "store/changes.hpp"

#include <vector>

namespace weir::store {

/// Folds the rows that aren't known into blind writes. Every column is stated, those that no change names as `keep` with the value that the
/// row would be made with: the stores know neither the event's clock nor its ids, and rows of one shape stay one statement.
/// @param slots all of the table's, sorted by key
/// @return those that can't be folded without their row, in the same order
std::vector<RowSlot *> fold_blind(BatchTable &table, const std::vector<RowSlot *> &slots, std::vector<BlindWrite> &blind);

/// Sorts the known rows into erased, changed and created, and drops those that are as they were. Moves them out of their slots.
void fold_known(const BatchTable &table, const std::vector<RowSlot *> &slots, TableFlush &flush);

} // namespace weir::store
