// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cell_arithmetic.hpp"
#include "store/changes.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace weir::store {

/**
 * Folds upserts and insertions of one row, the row unknown, into one "insert these values; where the row exists, do this to it".
 *
 * Two stories are followed side by side: that the row is absent (the row that the changes make) and that it exists (what they do to each of
 * its cells). One statement tells both only where each cell of the first is the operand of the second, as `t.c + excluded.c` has but one
 * `excluded.c`. Where they part, or a change needs to know the row (guards, erasures, an update before anything made the row), or a sum
 * leaves its range, the fold fails, and the changes must be evaluated against the row itself.
 */
class BlindFold {
public:
    explicit BlindFold(const Table &table) : table_(table), operations_(table.columns.size()), operands_(table.columns.size()) {}

    /// Forgets everything, for the next row.
    void restart();

    /// Takes the next change. @return false where the fold fails; only `restart` may follow
    bool take(const Change &change, const Origin &origin);

    /// Whether one statement tells both stories. After the last change.
    bool agrees() const;

    /// What the changes do to each column where the row exists: `keep` where they leave it alone.
    const std::vector<CellOperation> &operations() const { return operations_; }

    /// The row that they make where it is absent, which holds the operands as well. Once, where `agrees`.
    Row take_row();

private:
    bool compose(const Cell &cell);

    const Table &table_;
    std::vector<CellOperation> operations_;
    std::vector<Integer> operands_; ///< of add, max and min; what was `set` is what the made row holds
    std::optional<Row> made_;
};

} // namespace weir::store
