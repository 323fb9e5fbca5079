// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace weir::store {

/// Whether `text` is UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. [RFC 3629]
/// @param nul set where it holds U+0000, which no store keeps in text
bool is_utf8(std::string_view text, bool &nul) noexcept;

} // namespace weir::store
