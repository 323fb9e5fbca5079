// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "layout.hpp"
#include "refusal.hpp"

#include "store/refused_row.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace weir::store::postgresql {

/// What one statement of a flush writes. Views.
struct WrittenRows {
    const TableLayout *layout = nullptr; ///< none: it writes no rows
    std::uint32_t table = 0;
    std::span<const std::uint32_t> columns; ///< of a row's cells; empty: those declared, in their order
    std::span<const Row> rows;
};

/**
 * Guesses which row it was that the server refused: it says of which statement, and repeats values of the row in its details, as in
 * "Key (email)=(x) already exists." and "Failing row contains (a, b, null)." Only values are looked for and no words, which come in the
 * server's language; the one row that has the most of them is it.
 *
 * @return nothing where several have as many, or none has any
 */
std::optional<RefusedRow> guess_refused_row(const RefusedByServer::Said &said, std::span<const WrittenRows> statements);

} // namespace weir::store::postgresql
