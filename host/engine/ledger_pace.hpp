// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace weir::engine {

/// How often a domain's ledger is looked after, and what a test makes of it.
struct LedgerPace {
    std::uint64_t events = 50'000; ///< decided since the last look
    std::chrono::milliseconds look = std::chrono::minutes(1);
    std::uint64_t generation_events = 0;  ///< a generation is sealed at so many; 0: what the store finds best
    std::chrono::microseconds horizon{0}; ///< instead of the configured one, where it isn't 0
};

/// The pace of a domain: the usual one, unless a test wants generations to be sealed, and pruned, within seconds, in the program that users
/// run: WEIR_TEST_LEDGER=300 seals every 300 events; WEIR_TEST_LEDGER=300,chain:4000 also prunes the domain "chain" by a horizon of 4,000
/// ms.
LedgerPace ledger_pace(std::string_view domain);

} // namespace weir::engine
