// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::store {

inline constexpr std::size_t kJsonDepthMax = 64;             ///< nesting of arrays and objects
inline constexpr std::size_t kJsonNumberCharactersMax = 400; ///< of one number; jsonb would take more, no reader would
inline constexpr int kJsonExponentMax = 400;                 ///< its magnitude, either sign

/// Whether `text` is one JSON value [RFC 8259] that both stores keep: what jsonb takes, within the limits above. Reads the text once and
/// builds nothing.
/// @return the reason it is refused, with the byte at which that shows, and never any of the text
std::optional<std::string> check_json(std::string_view text);

} // namespace weir::store
