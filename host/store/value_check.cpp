// SPDX-License-Identifier: Apache-2.0
// Values against their columns: canonical form, literals.
#include "store/schema.hpp"

#include "decimal.hpp"
#include "event/time.hpp"
#include "event/uuid.hpp"
#include "json_check.hpp"
#include "utf8.hpp"

#include <charconv>
#include <cmath>

namespace weir::store {

namespace {

using Refused = std::optional<std::string>;

Refused check_text(const std::string &text) {
    bool nul = false;
    if (!is_utf8(text, nul)) {
        return "is not UTF-8";
    }
    if (nul) {
        return "holds U+0000, which text columns can't keep";
    }
    return std::nullopt;
}

Refused canonicalise_uuid(std::string &text) { return event::Uuid::lower(text) ? std::nullopt : Refused("is not a UUID of 36 characters"); }

Refused check_integer(const Column &column, std::int64_t value) {
    switch (column.type) {
    case Type::boolean:
        if (value != 0 && value != 1) {
            return "is a bool other than 0 and 1";
        }
        break;
    case Type::decimal:
        if (!fits_decimal(value, column.precision)) {
            return "has more than " + std::to_string(column.precision) + " digits";
        }
        break;
    case Type::timestamp:
        if (value < event::kEarliest || value > event::kLatest) {
            return "is a time outside the years 1 to 9999";
        }
        break;
    default:
        break;
    }
    return std::nullopt;
}

Refused check_number(double &value) {
    if (!std::isfinite(value)) {
        return "is not a finite number";
    }
    if (value == 0) {
        value = 0; // -0.0 would be another text for an equal value
    }
    return std::nullopt;
}

/// The alternative of Value that carries a type.
std::size_t alternative(Type type) noexcept {
    switch (type) {
    case Type::int64:
    case Type::decimal:
    case Type::boolean:
    case Type::timestamp:
        return 1;
    case Type::float64:
        return 2;
    default:
        return 3;
    }
}

Refused canonicalise_present(const Column &column, Value &value) {
    if (value.index() != alternative(column.type)) {
        return "is not of type " + std::string(type_name(column.type));
    }
    switch (column.type) {
    case Type::text:
    case Type::citext:
        return check_text(std::get<std::string>(value));
    case Type::uuid:
        return canonicalise_uuid(std::get<std::string>(value));
    case Type::json:
        return check_json(std::get<std::string>(value));
    case Type::bytes:
        return std::nullopt;
    case Type::float64:
        return check_number(std::get<double>(value));
    default:
        return check_integer(column, std::get<std::int64_t>(value));
    }
}

template <class Number> bool whole_number(std::string_view text, Number &out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

/// "-1.50" with scale 2 is -150. More digits after the point than the scale are refused, even zeros: the author said another scale.
bool read_decimal(std::string_view text, std::uint32_t scale, std::int64_t &out) {
    const std::size_t point = text.find('.');
    std::string digits(text.substr(0, point));
    if (digits.empty() || digits == "-") {
        return false;
    }
    std::size_t fraction = 0;
    if (point != std::string_view::npos) {
        fraction = text.size() - point - 1;
        if (fraction == 0 || fraction > scale) {
            return false;
        }
        digits += text.substr(point + 1);
    }
    digits.append(scale - fraction, '0');
    return whole_number(digits, out);
}

bool read_hexadecimal(std::string_view text, std::string &out) {
    const auto digit = [](char c) -> int {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        const char lower = static_cast<char>(c | 0x20);
        return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
    };
    if (text.size() % 2 != 0) {
        return false;
    }
    out.clear();
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = digit(text[i]);
        const int low = digit(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out += static_cast<char>(high * 16 + low);
    }
    return true;
}

/// @return whether the text has the form of the type; `out` is then yet to be made canonical
bool read_literal(const Column &column, std::string_view text, Value &out) {
    std::int64_t integer = 0;
    switch (column.type) {
    case Type::int64:
        if (!whole_number(text, integer)) {
            return false;
        }
        break;
    case Type::decimal:
        if (!read_decimal(text, column.scale, integer)) {
            return false;
        }
        break;
    case Type::boolean:
        if (text != "true" && text != "false") {
            return false;
        }
        integer = text == "true" ? 1 : 0;
        break;
    case Type::timestamp: {
        const std::optional<event::Micros> time = event::parse_time(text);
        if (!time) {
            return false;
        }
        integer = *time;
        break;
    }
    case Type::float64: {
        double number = 0;
        if (!whole_number(text, number)) {
            return false;
        }
        out = number;
        return true;
    }
    case Type::bytes: {
        std::string bytes;
        if (!read_hexadecimal(text, bytes)) {
            return false;
        }
        out = std::move(bytes);
        return true;
    }
    default:
        out = std::string(text);
        return true;
    }
    out = integer;
    return true;
}

} // namespace

std::string_view type_name(Type type) noexcept {
    switch (type) {
    case Type::text:
        return "text";
    case Type::citext:
        return "citext";
    case Type::int64:
        return "int64";
    case Type::float64:
        return "float64";
    case Type::decimal:
        return "decimal";
    case Type::boolean:
        return "bool";
    case Type::uuid:
        return "uuid";
    case Type::timestamp:
        return "timestamp";
    case Type::json:
        return "json";
    case Type::bytes:
        return "bytes";
    }
    return "unknown";
}

std::optional<std::string> canonicalise(const Column &column, Value &value) {
    if (std::holds_alternative<std::monostate>(value)) {
        return column.nullable ? std::nullopt : std::optional<std::string>("column " + column.name + ": is null and may not be");
    }
    if (Refused reason = canonicalise_present(column, value)) {
        return "column " + column.name + ": " + *reason;
    }
    return std::nullopt;
}

std::optional<std::string> parse_literal(const Column &column, std::string_view text, Value &out) {
    Value value;
    if (!read_literal(column, text, value)) {
        return "column " + column.name + ": the default is not a literal of type " + std::string(type_name(column.type));
    }
    if (Refused reason = canonicalise(column, value)) {
        return reason;
    }
    out = std::move(value);
    return std::nullopt;
}

} // namespace weir::store
