// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <string_view>
#include <vector>

namespace weir::store {

// What the standard tables hold is the same in every store; how it lies there is the adapters' own.

inline constexpr std::string_view kNoContext = "{}"; ///< of a letter that another program has left

/// "pending", "replayed", "dropped".
std::string_view status_name(DeadLetterStatus status) noexcept;
/// What isn't known counts as pending.
DeadLetterStatus status_from(std::string_view name) noexcept;

/// The most demanding letters that Weir may have to keep, one of each status, but for messages and documents, which have no bound. A
/// migration that adopts another program's tables writes them, and takes them back: constraints and triggers can't be read as columns can.
std::vector<DeadLetter> trial_letters();
/// The same of the ledger.
std::vector<LedgerEntry> trial_entries();

} // namespace weir::store
