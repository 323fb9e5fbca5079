// SPDX-License-Identifier: Apache-2.0
#include "value_text.hpp"

#include "event/time.hpp"

#include <charconv>

namespace weir::store::postgresql {

namespace {

/// "1234" with scale 2 is "12.34".
std::string with_point(std::int64_t unscaled, std::uint32_t scale) {
    const bool negative = unscaled < 0;
    std::string digits = std::to_string(unscaled).substr(negative ? 1 : 0);
    if (digits.size() <= scale) {
        digits.insert(0, scale + 1 - digits.size(), '0');
    }
    if (scale > 0) {
        digits.insert(digits.size() - scale, 1, '.');
    }
    return (negative ? "-" : "") + digits;
}

} // namespace

std::string hexadecimal(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex = "\\x";
    hex.reserve(2 + bytes.size() * 2);
    for (const char c : bytes) {
        hex += kDigits[static_cast<unsigned char>(c) >> 4];
        hex += kDigits[static_cast<unsigned char>(c) & 15];
    }
    return hex;
}

std::string text_of(Form form, std::uint32_t scale, const Value &value) {
    switch (form) {
    case Form::int8:
        return std::to_string(std::get<std::int64_t>(value));
    case Form::boolean:
        return std::get<std::int64_t>(value) ? "t" : "f";
    case Form::timestamptz:
        return event::format_time(std::get<std::int64_t>(value));
    case Form::numeric:
        return with_point(std::get<std::int64_t>(value), scale);
    case Form::float8: {
        char digits[40];
        return {digits, std::to_chars(digits, digits + sizeof digits, std::get<double>(value)).ptr};
    }
    case Form::bytea:
        return hexadecimal(std::get<std::string>(value));
    case Form::text:
    case Form::uuid:
    case Form::json:
    case Form::jsonb:
        break;
    }
    return std::get<std::string>(value);
}

} // namespace weir::store::postgresql
