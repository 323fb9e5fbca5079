// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model.hpp"
#include "servers.hpp"

namespace weir::test {

/// Fails the test where the store holds anything else than the model: rows, ledgers, dead letters. Says the first differences.
/// @param pruned the domain whose ledger has a horizon: ids may be gone from it, and events that came again after that are quarantined
void check_store(const PostgresServer &postgres, const ChaosModel &model, const std::string &pruned);

} // namespace weir::test
