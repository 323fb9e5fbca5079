// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plan.hpp"

namespace weir::store::postgresql {

/// What makes the functions of a schema's counters that aren't there yet. One of the same name stays as it is, whoever made it. A shadow
/// has none: nobody else writes to it.
/// @param existing the schema as it is now; columns that are still to be made are taken as declared
std::vector<Step> counter_steps(Connection &connection, const Place &place, const Schema &schema,
                                const std::map<std::string, ExistingTable> &existing);

} // namespace weir::store::postgresql
