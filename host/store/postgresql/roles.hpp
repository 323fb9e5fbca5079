// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "place.hpp"

#include <string>
#include <vector>

namespace weir::store::postgresql {

/// What a domain needs around its tables: the schema, and the role that its sessions take on. The login makes both, and keeps the schema;
/// the role may only read and write the domain's tables.
struct Surroundings {
    bool has_schema = false;
    bool has_role = false;  ///< or needs none
    bool is_member = false; ///< the login may take the role on
    bool may_make_schema = false;
    bool may_make_role = false;
    bool may_use_schema = false; ///< make tables in it
    std::string login;
    std::string database;
};

Surroundings look_around(Connection &connection, const Place &place);

/// What is missing and can't be made, with the SQL for an administrator; empty: nothing.
std::string missing_rights(const Surroundings &found, const Place &place);

/// Makes what is missing. @return steps for the log
std::vector<std::string> make_surroundings(Connection &connection, const Surroundings &found, const Place &place);

/// Gives the role its rights on these tables, where it hasn't them.
void grant_tables(Connection &connection, const Place &place, const std::vector<std::string> &tables);

/// Removes a schema with everything in it, and its role. Where the login may not make them again, they stay, empty. Harmless where they
/// aren't there.
void remove_schema(Connection &connection, const Place &place);

} // namespace weir::store::postgresql
