// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::http {

/// The methods that a route may have (RFC 9110, section 9; PATCH: RFC 5789). Anything else is answered with 501.
enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options };

/// "GET", ...
std::string_view text_of(Method method) noexcept;

/// Case-sensitive, as the protocol has it.
std::optional<Method> method_of(std::string_view text) noexcept;

} // namespace weir::http
