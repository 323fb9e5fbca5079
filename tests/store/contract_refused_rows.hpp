// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store_contract.hpp"

namespace weir::test {

/// What a refused flush says of the row that was refused. Part of the promises of flushes.
std::vector<Promise> refused_row_promises();

} // namespace weir::test
