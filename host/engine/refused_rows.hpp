// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/refused_row.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace weir::engine {

/// Whether the store takes what was folded. Nothing of it stays. Within a transaction, in a savepoint of its own.
bool is_taken(store::Session &session, std::span<const store::TableFlush> flush);

/**
 * Looks for the rows because of which a flush was refused and rolled back, by halving it.
 *
 * Each half is tried without the other, so that where the store looks at several rows together (what is unique, references, triggers) the
 * answer is a guess.
 *
 * @param all false: one of them is enough
 */
std::vector<store::RefusedRow> refused_rows(store::Session &session, const store::Schema &schema, std::span<const store::TableFlush> flush,
                                            bool all);

} // namespace weir::engine
