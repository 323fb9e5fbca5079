// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::event {

/// A point in time in microseconds since 1970-01-01T00:00:00Z (leap seconds not counted).
using Micros = std::int64_t;

/// The first and the last time that both stores can hold as text that sorts: 0001-01-01 and 9999-12-31.
inline constexpr Micros kEarliest = -62135596800000000;
inline constexpr Micros kLatest = 253402300799999999;

/// Reads an RFC 3339 time with a zone ("2025-11-24T15:30:07.040058+05:30"); digits past the microsecond are cut off,
/// second 60 is refused. Anything else, or a time outside [kEarliest, kLatest], is nothing.
std::optional<Micros> parse_time(std::string_view text) noexcept;

/// "2025-11-24T10:00:07.040058Z": always UTC, always six digits, so that text order is time order.
std::string format_time(Micros time);

/// The wall clock.
Micros now() noexcept;

} // namespace weir::event
