// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model.hpp"
#include "servers.hpp"

namespace weir::test {

/// Fails the test where the store holds anything else than the model: rows, ledgers, dead letters. Says the first differences.
void check_store(const PostgresServer &postgres, const ChaosModel &model);

} // namespace weir::test
