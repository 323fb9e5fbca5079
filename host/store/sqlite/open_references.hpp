// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

#include "store/refused_row.hpp"

#include <optional>
#include <span>

namespace weir::store::sqlite {

/// Which of the rows of a flush, which are written by now, leaves a reference open: SQLite only counts them. Nothing where it is none of
/// these. One look-up for each row and reference.
std::optional<RefusedRow> open_reference(Connection &connection, const Schema &schema, std::span<const TableFlush> tables);

} // namespace weir::store::sqlite
