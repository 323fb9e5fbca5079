// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace weir::event {

/// The formats of JSON Schema that contracts may ask for, checked here in linear time.
enum class Format { uuid, date_time, email };

/// "uuid", "date-time" or "email".
std::optional<Format> parse_format(std::string_view name) noexcept;

/// Whether a text is of the format. E-mail: at most 320 bytes, a local part and a domain, no spaces or control characters outside of
/// quotes; meant to accept every address that works, internationalised ones included. [RFC 5321, section 4.1.2; RFC 6531]
bool has_format(Format format, std::string_view text) noexcept;

/// "a UUID", "an e-mail address", ...
std::string_view describe_format(Format format) noexcept;

} // namespace weir::event
