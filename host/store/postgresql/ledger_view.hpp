// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "place.hpp"

namespace weir::store::postgresql {

/// Makes `event_ledger_all` anew: every generation that is kept. In a transaction of the login, after generations were changed.
void make_ledger_view(Connection &connection, const Place &place);

} // namespace weir::store::postgresql
