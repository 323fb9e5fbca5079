// SPDX-License-Identifier: Apache-2.0
#include "cell_arithmetic.hpp"

#include "decimal.hpp"

#include <algorithm>

namespace weir::store {

std::optional<std::int64_t> add_cells(const Column &column, Integer left, Integer right) noexcept {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(left.value_or(0), right.value_or(0), &sum)) {
        return std::nullopt;
    }
    if (column.type == Type::decimal && !fits_decimal(sum, column.precision)) {
        return std::nullopt;
    }
    return sum;
}

Integer extreme_of_cells(CellOperation operation, Integer left, Integer right) noexcept {
    if (!left || !right) {
        return left ? left : right;
    }
    return operation == CellOperation::max ? std::max(*left, *right) : std::min(*left, *right);
}

} // namespace weir::store
