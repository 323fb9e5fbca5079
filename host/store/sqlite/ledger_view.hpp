// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

namespace weir::store::sqlite {

/// Makes `event_ledger_all` anew: every generation that is kept. In a transaction, after generations were changed.
void make_ledger_view(Connection &connection);

} // namespace weir::store::sqlite
