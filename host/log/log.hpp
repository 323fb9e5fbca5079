// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace weir::log {

enum class Level : std::uint8_t { debug, info, warn, error };

/// A named value of a log line. Never an e-mail, never a payload: ids, names, counts, reasons.
struct Field {
    std::string_view name;
    std::variant<std::string_view, std::int64_t, double, bool> value;

    Field(std::string_view n, std::string_view v) : name(n), value(v) {}
    Field(std::string_view n, const std::string &v) : name(n), value(std::string_view(v)) {}
    Field(std::string_view n, const char *v) : name(n), value(std::string_view(v)) {}
    Field(std::string_view n, bool v) : name(n), value(v) {}
    Field(std::string_view n, double v) : name(n), value(v) {}
    template <typename T>
    requires std::is_integral_v<T> Field(std::string_view n, T v) : name(n), value(static_cast<std::int64_t>(v)) {}
};

enum class Format : std::uint8_t { automatic, json, text }; ///< automatic: text on a terminal, else JSON lines

/// Sets up standard error as the log. Before the first line, or again at any time. Thread-safe.
void configure(Level least, Format format);

/// Whether lines are JSON, as configured last.
bool writes_json() noexcept;

/// "debug", "info", "warn" or "error", any case; false where it is none of them.
bool parse_level(std::string_view text, Level &out);

/// Ends every line from now on with this field: for a process whose lines must not be taken for another's. Before its first thread.
void mark(std::string_view name, std::string_view value);

/// Writes one line: a stable event name for machines ("plugin.refused") and a sentence for people, then the fields. Thread-safe; never
/// throws. JSON: {"time","level","event","message",...fields}, one object a line.
void write(Level level, std::string_view event, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view event, std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::debug, event, message, fields);
}
inline void info(std::string_view event, std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::info, event, message, fields);
}
inline void warn(std::string_view event, std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::warn, event, message, fields);
}
inline void error(std::string_view event, std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::error, event, message, fields);
}

} // namespace weir::log
