// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "health/finding.hpp"
#include "postgresql_store.hpp"

#include <string>
#include <vector>

namespace weir::store::postgresql {

/// What there is to say of a database as a place for domains' state: reachable, recent enough, takes writes, durable, connections enough,
/// its clock, the rights of the login on each schema. Changes nothing. For `weir doctor`; never throws for what the server says.
std::vector<health::Finding> examine_postgresql(const PostgresqlOptions &options, const std::vector<std::string> &schemas);

} // namespace weir::store::postgresql
