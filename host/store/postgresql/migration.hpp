// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "layout.hpp"
#include "place.hpp"

#include "store/store.hpp"

#include <memory>

namespace weir::store::postgresql {

/**
 * Brings a schema in the database to a declared one: makes what is missing, adopts what fits (`fitting.hpp`), and refuses everything else,
 * all in one transaction under an advisory lock. Runs as the login, who owns the tables it makes.
 *
 * A table that another program made has to have the same primary key; columns that aren't declared have to be nullable or have a default.
 * Missing columns, indexes and references are added; references that are there are made deferrable, and may have no actions.
 * @param layout what sessions have to know of the result
 */
MigrationSteps migrate(Connection &connection, const Place &place, const Schema &schema, std::shared_ptr<const Layout> &layout);

/// Tables of the schema that were adopted and not made anew since.
std::vector<std::string> adopted_tables(Connection &connection, const Place &place, const Schema &schema);
/// Tables of the schema whose rows routes change.
std::vector<std::string> route_tables(Connection &connection, const Place &place, const Schema &schema);

/// What `migrate` would do, without doing it.
MigrationSteps preview(Connection &connection, const Place &place, const Schema &schema);

} // namespace weir::store::postgresql
