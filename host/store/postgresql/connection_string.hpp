// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "postgresql_store.hpp"

#include <string>

namespace weir::store::postgresql {

/// What libpq connects with: the url's parameters, the session's settings, and keepalives where the url says nothing of them. Holds the
/// password.
std::string connection_string(const PostgresqlOptions &options);

} // namespace weir::store::postgresql
