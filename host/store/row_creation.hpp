// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/changes.hpp"

namespace weir::store {

/// The row that a change makes, before its cells are applied: its key, and every other column at its default, or null where it has none.
/// `now` and `new_id` come from the event that makes the row, so that a rerun makes the same one. Ids are left out where the change states
/// them.
Row row_of_defaults(const Table &table, const Change &change, const Origin &origin);

/// The name under which Default::new_id is UUIDv5 of the event's id: "<table>.<column>" and each value of the comparable key as
/// "/<length>:<text>", so that no two rows or columns that one event makes have one id, however their keys are spelled.
std::string new_id_name(const Table &table, const Column &column, const Key &key);

} // namespace weir::store
