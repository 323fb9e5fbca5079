// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/changes.hpp"

#include <cstdint>
#include <optional>

namespace weir::store {

/// An int64, decimal or timestamp cell: nothing where it is null. Any other value counts as null; `check_change` lets none through.
using Integer = std::optional<std::int64_t>;

inline Integer integer_of(const Value &value) noexcept {
    const auto *integer = std::get_if<std::int64_t>(&value);
    return integer ? Integer(*integer) : std::nullopt;
}

inline bool is_null(const Value &value) noexcept { return value.index() == 0; }

/// The sum, null counting as 0; nothing where it leaves the column's range (int64, or the decimal's precision).
std::optional<std::int64_t> add_cells(const Column &column, Integer left, Integer right) noexcept;

/// The later or the earlier one, null counting as absent.
Integer extreme_of_cells(CellOperation operation, Integer left, Integer right) noexcept;

} // namespace weir::store
