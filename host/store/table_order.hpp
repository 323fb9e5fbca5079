// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/schema.hpp"

#include <vector>

namespace weir::store {

/// Tables so that each comes after those it refers to; otherwise those with unique indexes first, and then as they were declared. Where
/// references go in a circle, no order is right: the table of the circle that would come first so comes last, and a table's references to
/// itself are left aside. Stores that check such references row by row must put the check off to the end of the transaction.
std::vector<std::uint32_t> tables_by_reference(const Schema &schema);

} // namespace weir::store
