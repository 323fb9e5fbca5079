// SPDX-License-Identifier: Apache-2.0
/// @file
/// A plugin's tables as the test kit sees them, and the values that may stand in them.
#pragma once

#include "ids.hpp"
#include "json.hpp"

#include <cmath>
#include <set>
#include <variant>

namespace weir::testkit {

/// Null, an integer (int64, decimal, bool, timestamp), a double, or text (text, citext, uuid, json, bytes).
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

/// A column, copied from its descriptor.
struct ColumnInfo {
    std::string name;                       ///< its name
    std::uint32_t type = 0;                 ///< WEIR_TYPE_*
    bool nullable = false;                  ///< whether null may stand in it
    std::uint32_t precision = 0;            ///< of a decimal
    std::uint32_t scale = 0;                ///< of a decimal
    std::uint32_t default_kind = 0;         ///< WEIR_DEFAULT_*
    Value default_value = std::monostate(); ///< of WEIR_DEFAULT_LITERAL

    /// Whether `add` works on it.
    bool additive() const noexcept { return type == WEIR_TYPE_INT64 || type == WEIR_TYPE_DECIMAL; }
    /// Whether `max`, `min` and guards work on it.
    bool ordered() const noexcept { return additive() || type == WEIR_TYPE_TIMESTAMP; }
};

/// An index, copied from its descriptor.
struct IndexInfo {
    std::string name;                   ///< its name
    std::vector<std::uint32_t> columns; ///< places in its table
    bool unique = false;                ///< a constraint
};

/// A reference, copied from its descriptor.
struct ReferenceInfo {
    std::vector<std::uint32_t> columns;        ///< places in its table
    std::uint32_t target = 0;                  ///< place of the other table
    std::vector<std::uint32_t> target_columns; ///< places in the other table
};

/// A table, copied from its descriptor.
struct TableInfo {
    std::string name;                       ///< its name
    std::vector<ColumnInfo> columns;        ///< in order
    std::vector<std::uint32_t> primary_key; ///< places of its columns
    std::vector<IndexInfo> indexes;         ///< indexes and unique constraints
    std::vector<ReferenceInfo> references;  ///< to other tables
};

/// @cond internal
namespace detail {

inline std::string lower(std::string text) {
    for (char &c : text) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return text;
}

inline std::int64_t power_of_ten(std::uint32_t exponent) {
    std::int64_t power = 1;
    for (std::uint32_t i = 0; i < exponent; ++i) {
        power *= 10;
    }
    return power;
}

inline bool in_range(const ColumnInfo &column, std::int64_t value) {
    switch (column.type) {
    case WEIR_TYPE_DECIMAL: {
        const std::int64_t limit = power_of_ten(column.precision);
        return value < limit && value > -limit;
    }
    case WEIR_TYPE_BOOL:
        return value == 0 || value == 1;
    case WEIR_TYPE_TIMESTAMP:
        return value >= -62135596800000000 && value <= 253402300799999999;
    default:
        return true;
    }
}

inline bool holds_nul(const JsonValue &value) {
    bool found = value.text.find('\0') != std::string::npos;
    for (const auto &[name, member] : value.members) {
        found = found || name.find('\0') != std::string::npos || holds_nul(member);
    }
    return found;
}

inline std::string json_problem(const std::string &text) {
    try {
        return holds_nul(JsonParser::parse(text)) ? "holds \\u0000" : "";
    } catch (const JsonError &error) {
        return error.what();
    }
}

inline bool is_text(std::uint32_t type) { return type == WEIR_TYPE_TEXT || type == WEIR_TYPE_CITEXT; }

} // namespace detail
/// @endcond

/// Takes a cell of the ABI as a value of a column. @return what is wrong with it, or nothing
inline std::optional<std::string> take_value(const ColumnInfo &column, const weir_cell_v1 &cell, Value &out) {
    const auto wrong = [&column](const std::string &what) { return "column " + column.name + ": " + what; };
    if (cell.flags & WEIR_CELL_IS_NULL) {
        out = std::monostate();
        return column.nullable ? std::nullopt : std::optional(wrong("must not be null"));
    }
    std::string text = cell.text.size ? std::string(cell.text.data, cell.text.size) : std::string();
    switch (column.type) {
    case WEIR_TYPE_INT64:
    case WEIR_TYPE_DECIMAL:
    case WEIR_TYPE_BOOL:
    case WEIR_TYPE_TIMESTAMP:
        out = cell.integer;
        return detail::in_range(column, cell.integer) ? std::nullopt : std::optional(wrong("is out of the type's range"));
    case WEIR_TYPE_FLOAT64:
        out = cell.number;
        return std::isfinite(cell.number) ? std::nullopt : std::optional(wrong("must be finite"));
    case WEIR_TYPE_UUID: {
        const auto uuid = Uuid::parse(text);
        out = uuid ? std::string(uuid->text()) : text;
        return uuid ? std::nullopt : std::optional(wrong("must be a UUID"));
    }
    case WEIR_TYPE_JSON: {
        const auto problem = detail::json_problem(text);
        out = std::move(text);
        return problem.empty() ? std::nullopt : std::optional(wrong(problem));
    }
    default:
        if (detail::is_text(column.type) && (!is_utf8(text) || text.find('\0') != std::string::npos)) {
            return wrong("must be UTF-8 without U+0000");
        }
        out = std::move(text);
        return std::nullopt;
    }
}

/// Reads a literal as `weir_column_v1::default_text` writes it; nothing where it is none of the column's type.
inline std::optional<Value> parse_literal(const ColumnInfo &column, std::string_view text) {
    weir_cell_v1 cell{};
    std::string bytes;
    switch (column.type) {
    case WEIR_TYPE_BOOL:
        cell.integer = text == "true" ? 1 : text == "false" ? 0 : 2;
        break;
    case WEIR_TYPE_TIMESTAMP: {
        const auto time = parse_time(text);
        cell.integer = time.value_or(INT64_MAX);
        break;
    }
    case WEIR_TYPE_INT64:
    case WEIR_TYPE_DECIMAL: {
        std::string digits(text);
        const std::size_t point = std::min(digits.find('.'), digits.size());
        const std::size_t after = point < digits.size() ? digits.size() - point - 1 : 0;
        if (after > column.scale || (point < digits.size() && after == 0)) {
            return std::nullopt;
        }
        digits.erase(point, point < digits.size() ? 1 : 0);
        digits.append(column.scale - after, '0');
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), cell.integer);
        if (error != std::errc() || end != digits.data() + digits.size()) {
            return std::nullopt;
        }
        break;
    }
    case WEIR_TYPE_FLOAT64: {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cell.number);
        if (error != std::errc() || end != text.data() + text.size()) {
            return std::nullopt;
        }
        break;
    }
    case WEIR_TYPE_BYTES:
        for (std::size_t i = 0; i < text.size(); i += 2) {
            unsigned byte = 0;
            const std::size_t last = std::min(i + 2, text.size());
            const auto [end, error] = std::from_chars(text.data() + i, text.data() + last, byte, 16);
            if (error != std::errc() || end != text.data() + i + 2) {
                return std::nullopt;
            }
            bytes += static_cast<char>(byte);
        }
        cell.text = weir::detail::view(bytes);
        break;
    default:
        cell.text = weir::detail::view(text);
    }
    Value value;
    return take_value(column, cell, value) ? std::nullopt : std::optional(std::move(value));
}

/// A value as text, as it can be compared in a test: times in UTC with six digits, decimals in full, bools as true and false, bytes in
/// hexadecimal; null is nothing.
inline std::optional<std::string> show(const ColumnInfo &column, const Value &value) {
    if (const auto *integer = std::get_if<std::int64_t>(&value)) {
        if (column.type == WEIR_TYPE_TIMESTAMP) {
            return format_time(*integer);
        }
        if (column.type == WEIR_TYPE_BOOL) {
            return *integer ? "true" : "false";
        }
        std::string digits = std::to_string(*integer < 0 ? -*integer : *integer);
        if (*integer == INT64_MIN) {
            digits = "9223372036854775808";
        }
        if (column.type == WEIR_TYPE_DECIMAL && column.scale) {
            digits.insert(0, digits.size() <= column.scale ? column.scale + 1 - digits.size() : 0, '0');
            digits.insert(digits.size() - column.scale, ".");
        }
        return (*integer < 0 ? "-" : "") + digits;
    }
    if (const auto *number = std::get_if<double>(&value)) {
        std::array<char, 32> out{};
        const auto end = std::to_chars(out.data(), out.data() + out.size(), *number).ptr;
        return std::string(out.data(), end);
    }
    if (const auto *text = std::get_if<std::string>(&value)) {
        if (column.type != WEIR_TYPE_BYTES) {
            return *text;
        }
        std::string out;
        for (const char c : *text) {
            out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
            out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
        }
        return out;
    }
    return std::nullopt;
}

} // namespace weir::testkit
