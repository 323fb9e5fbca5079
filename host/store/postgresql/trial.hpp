// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "letter_statements.hpp"
#include "plan.hpp"

namespace weir::store::postgresql {

/// Writes to the standard tables that these steps adopt what Weir will write, and takes it back: constraints and triggers of another
/// program can't be read as columns can. In a migration's transaction, behind its steps; throws SchemaWrong.
void try_adopted(Connection &connection, const Place &place, const std::vector<Step> &steps, const LetterLimits &limits);

} // namespace weir::store::postgresql
