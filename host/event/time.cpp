// SPDX-License-Identifier: Apache-2.0
#include "event/time.hpp"

#include "value_text.hpp"

#include <chrono>

namespace weir::event {

namespace {

constexpr Micros kSecond = 1'000'000;
constexpr std::int64_t kDaySeconds = 86'400;

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
constexpr std::int64_t days_from_civil(int year, int month, int day) {
    return std::chrono::sys_days(std::chrono::year(year) / month / day).time_since_epoch().count();
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Reads exactly `count` digits from the front.
bool take_number(std::string_view &text, std::size_t count, int &out) {
    if (text.size() < count) {
        return false;
    }
    out = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (!is_digit(text[i])) {
            return false;
        }
        out = out * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return true;
}

bool take(std::string_view &text, char a, char b) {
    if (text.empty() || (text.front() != a && text.front() != b)) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

/// The digits after the point as microseconds; at least one.
bool take_fraction(std::string_view &text, std::int64_t &micros) {
    std::size_t digits = 0;
    std::int64_t weight = kSecond / 10;
    while (digits < text.size() && is_digit(text[digits])) {
        micros += (text[digits] - '0') * weight;
        weight /= 10;
        ++digits;
    }
    text.remove_prefix(digits);
    return digits > 0;
}

/// "Z" or "+05:30", as seconds to be taken off.
bool take_zone(std::string_view &text, std::int64_t &seconds) {
    if (take(text, 'Z', 'z')) {
        seconds = 0;
        return true;
    }
    const bool west = !text.empty() && text.front() == '-';
    int hours = 0;
    int minutes = 0;
    if (!take(text, '+', '-') || !take_number(text, 2, hours) || !take(text, ':', ':') || !take_number(text, 2, minutes) || hours > 23 ||
        minutes > 59) {
        return false;
    }
    seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

void put_number(std::string &out, std::size_t at, std::size_t count, std::uint64_t value) {
    for (std::size_t i = count; i-- > 0; value /= 10) {
        out[at + i] = static_cast<char>('0' + value % 10);
    }
}

} // namespace

std::optional<Micros> parse_time(std::string_view text) noexcept {
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!take_number(text, 4, year) || !take(text, '-', '-') || !take_number(text, 2, month) || !take(text, '-', '-') ||
        !take_number(text, 2, day) || !take(text, 'T', 't') || !take_number(text, 2, hour) || !take(text, ':', ':') ||
        !take_number(text, 2, minute) || !take(text, ':', ':') || !take_number(text, 2, second)) {
        return std::nullopt;
    }
    const auto date = std::chrono::year(year) / month / day;
    if (!date.ok() || hour > 23 || minute > 59 || second > 59) {
        return std::nullopt;
    }
    std::int64_t micros = 0;
    std::int64_t zone = 0;
    if (take(text, '.', '.') && !take_fraction(text, micros)) {
        return std::nullopt;
    }
    if (!take_zone(text, zone) || !text.empty()) {
        return std::nullopt;
    }
    const std::int64_t seconds = days_from_civil(year, month, day) * kDaySeconds + hour * 3600 + minute * 60 + second - zone;
    const Micros time = seconds * kSecond + micros;
    if (time < kEarliest || time > kLatest) {
        return std::nullopt;
    }
    return time;
}

std::string format_time(Micros time) {
    using namespace std::chrono;
    const sys_time<microseconds> point{microseconds(time)};
    const auto day = floor<days>(point);
    const year_month_day date{day};
    const auto of_day = static_cast<std::uint64_t>((point - day).count());
    std::string out = "0000-00-00T00:00:00.000000Z";
    put_number(out, 0, 4, static_cast<std::uint64_t>(static_cast<int>(date.year())));
    put_number(out, 5, 2, static_cast<unsigned>(date.month()));
    put_number(out, 8, 2, static_cast<unsigned>(date.day()));
    put_number(out, 11, 2, of_day / kSecond / 3600);
    put_number(out, 14, 2, of_day / kSecond / 60 % 60);
    put_number(out, 17, 2, of_day / kSecond % 60);
    put_number(out, 20, 6, of_day % kSecond);
    return out;
}

bool is_canonical_time(std::string_view time) noexcept {
    // All of it was read, so that with these in their places the rest are digits in theirs.
    return time.size() == 27 && time[10] == 'T' && time[19] == '.' && time[26] == 'Z';
}

Micros now() noexcept {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

} // namespace weir::event
