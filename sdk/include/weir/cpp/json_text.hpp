// SPDX-License-Identifier: Apache-2.0
/// @file
/// JSON text, put together member by member: what routes answer and events carry.
#pragma once

#include "values.hpp"

#include <cmath>
#include <concepts>

namespace weir {

/// @cond internal
namespace detail {

inline void append_json_text(std::string &out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += "0123456789abcdef"[byte >> 4];
            out += "0123456789abcdef"[byte & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

} // namespace detail
/// @endcond

/// A time as RFC 3339 in UTC with microseconds: "2025-11-24T08:00:00.000000Z". Years 0 to 9999.
inline std::string format_time(Timestamp time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(time - day);
    std::string out;
    const auto append = [&out](long long number, std::size_t width, char after) {
        const std::string digits = std::to_string(number);
        out.append(width > digits.size() ? width - digits.size() : 0, '0').append(digits) += after;
    };
    append(static_cast<int>(date.year()), 4, '-');
    append(static_cast<unsigned>(date.month()), 2, '-');
    append(static_cast<unsigned>(date.day()), 2, 'T');
    append(clock.hours().count(), 2, ':');
    append(clock.minutes().count(), 2, ':');
    append(clock.seconds().count(), 2, '.');
    append(clock.subseconds().count(), 6, 'Z');
    return out;
}

/**
 * A JSON object in the making: `JsonObject().add("option", option).add("count", 3).text()`. Names are taken as they come; one that is
 * given twice is there twice.
 */
class JsonObject {
public:
    /// A text; it is escaped, and must be UTF-8.
    JsonObject &add(std::string_view name, std::string_view value) {
        return member(name, [&] { detail::append_json_text(out_, value); });
    }
    /// As the view of the same text.
    JsonObject &add(std::string_view name, const char *value) { return add(name, std::string_view(value)); }
    /// true or false, or a whole number.
    template <std::integral N> JsonObject &add(std::string_view name, N value) {
        return member(name, [&] {
            if constexpr (std::is_same_v<N, bool>) {
                out_ += value ? "true" : "false";
            } else {
                out_ += std::to_string(value);
            }
        });
    }
    /// A number; one that is not finite becomes null.
    template <std::floating_point N> JsonObject &add(std::string_view name, N value) {
        return member(name, [&] {
            char digits[40];
            out_ += std::isfinite(value) ? std::string_view(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr) : "null";
        });
    }
    /// A UUID.
    JsonObject &add(std::string_view name, const Uuid &value) { return add(name, value.text()); }
    /// A time, as `format_time` writes it.
    JsonObject &add(std::string_view name, Timestamp value) { return add(name, std::string_view(format_time(value))); }
    /// JSON text as it is: an object or an array made elsewhere.
    JsonObject &add(std::string_view name, Json value) {
        return member(name, [&] { out_ += value.text; });
    }
    /// What another one holds.
    JsonObject &add(std::string_view name, const JsonObject &value) { return add(name, Json(value.text())); }
    /// null where there is no value.
    template <class V> JsonObject &add(std::string_view name, const std::optional<V> &value) {
        return value ? add(name, *value) : add(name, Json("null"));
    }

    /// The object as text.
    std::string text() const { return "{" + out_ + "}"; }

private:
    template <class Write> JsonObject &member(std::string_view name, Write write) {
        out_ += out_.empty() ? "" : ",";
        detail::append_json_text(out_, name);
        out_ += ':';
        write();
        return *this;
    }
    std::string out_;
};

/// A JSON array in the making.
class JsonArray {
public:
    /// Appends what an object holds.
    JsonArray &add(const JsonObject &value) { return add(Json(value.text())); }
    /// Appends a text.
    JsonArray &add(std::string_view value) {
        separate();
        detail::append_json_text(out_, value);
        return *this;
    }
    /// Appends JSON text as it is.
    JsonArray &add(Json value) {
        separate();
        out_ += value.text;
        return *this;
    }

    /// The array as text.
    std::string text() const { return "[" + out_ + "]"; }

private:
    void separate() { out_ += out_.empty() ? "" : ","; }
    std::string out_;
};

} // namespace weir
