// SPDX-License-Identifier: Apache-2.0
#include "spelling.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace weir::config {

bool integer_of(const std::string &text, std::int64_t &out) {
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, out);
    return error == std::errc() && stop == end && !text.empty();
}

bool milliseconds_of(std::string_view text, std::int64_t &out) {
    constexpr std::array<std::pair<std::string_view, double>, 3> kUnits{{{"ms", 1}, {"s", 1000}, {"m", 60000}}};
    constexpr double kMost = 1e15;
    for (const auto &[unit, factor] : kUnits) {
        if (!text.ends_with(unit)) {
            continue;
        }
        const std::string_view number = text.substr(0, text.size() - unit.size());
        double value = 0;
        const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
        if (error != std::errc() || stop != number.data() + number.size() || !(value >= 0 && value * factor < kMost)) {
            return false;
        }
        out = static_cast<std::int64_t>(std::llround(value * factor));
        return true;
    }
    return false;
}

std::string level_of(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text == "warning" ? "warn" : text == "critical" || text == "fatal" ? "error" : text == "trace" ? "debug" : text;
}

std::string trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    return begin == std::string_view::npos ? std::string() : std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

} // namespace weir::config
