// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace weir::store {

inline constexpr std::uint32_t kDecimalPrecisionMax = 18;

/// Whether an unscaled value has no more digits than `precision` (1..18).
constexpr bool fits_decimal(std::int64_t unscaled, std::uint32_t precision) noexcept {
    std::int64_t limit = 1;
    for (std::uint32_t i = 0; i < precision && i < kDecimalPrecisionMax; ++i) {
        limit *= 10;
    }
    return unscaled > -limit && unscaled < limit;
}

} // namespace weir::store
