// SPDX-License-Identifier: Apache-2.0
/// @file
/// Times and derived ids, as the host makes them.
#pragma once

#include "../cpp/values.hpp"

#include <bit>
#include <cstdio>

namespace weir::testkit {

/// Reads an RFC 3339 time with a zone; nothing where `text` is none, or outside the years 1 to 9999.
inline std::optional<std::int64_t> parse_time(std::string_view text) noexcept {
    std::size_t at = 0;
    bool right = true;
    const auto digits = [&](std::size_t count) {
        int value = 0;
        for (std::size_t i = 0; i < count; ++i, ++at) {
            right = right && at < text.size() && text[at] >= '0' && text[at] <= '9';
            value = right ? value * 10 + (text[at] - '0') : 0;
        }
        return value;
    };
    const auto one_of = [&](std::string_view choices) {
        right = right && at < text.size() && choices.find(text[at]) != std::string_view::npos;
        return right ? text[at++] : '\0';
    };
    const int year = digits(4);
    one_of("-");
    const int month = digits(2);
    one_of("-");
    const int day = digits(2);
    one_of("Tt ");
    const int hour = digits(2);
    one_of(":");
    const int minute = digits(2);
    one_of(":");
    const int second = digits(2);
    std::int64_t micros = 0;
    if (right && at < text.size() && text[at] == '.') {
        std::int64_t unit = 100000;
        const std::size_t begin = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) {
            micros += unit * (text[at] - '0');
        }
        right = at > begin;
    }
    std::int64_t offset_minutes = 0;
    const char zone = one_of("Zz+-");
    if (zone == '+' || zone == '-') {
        const int zone_hour = digits(2);
        one_of(":");
        const int zone_minute = digits(2);
        right = right && zone_hour < 24 && zone_minute < 60;
        offset_minutes = (zone == '-' ? -1 : 1) * (zone_hour * 60 + zone_minute);
    }
    const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day)));
    if (!right || at != text.size() || !date.ok() || hour > 23 || minute > 59 || second > 59) {
        return std::nullopt;
    }
    const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    const std::int64_t result = (((days * 24 + hour) * 60 + minute - offset_minutes) * 60 + second) * 1000000 + micros;
    return result >= -62135596800000000 && result <= 253402300799999999 ? std::optional(result) : std::nullopt;
}

/// "2025-11-24T10:00:07.040058Z"
inline std::string format_time(std::int64_t micros) {
    const Timestamp time{std::chrono::microseconds(micros)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::int64_t rest = (time - day).count();
    std::array<char, 48> out{};
    const int size =
        std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(rest / 3600000000),
                      static_cast<int>(rest / 60000000 % 60), static_cast<int>(rest / 1000000 % 60), static_cast<int>(rest % 1000000));
    return {out.data(), static_cast<std::size_t>(size)};
}

/// SHA-1 of a message, 20 bytes. [RFC 3174]
inline std::array<std::uint8_t, 20> sha1(std::string message) {
    const std::uint64_t bits = message.size() * 8;
    message += '\x80';
    message.append((120 - message.size() % 64) % 64, '\0');
    for (int shift = 56; shift >= 0; shift -= 8) {
        message += static_cast<char>(bits >> shift);
    }
    std::array<std::uint32_t, 5> hash{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    for (std::size_t block = 0; block < message.size(); block += 64) {
        std::array<std::uint32_t, 80> words{};
        for (std::size_t i = 0; i < 64; ++i) {
            words[i / 4] = (words[i / 4] << 8) | static_cast<unsigned char>(message[block + i]);
        }
        for (std::size_t i = 16; i < 80; ++i) {
            words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
        }
        auto [a, b, c, d, e] = hash;
        for (std::size_t i = 0; i < 80; ++i) {
            const std::uint32_t mix = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
            constexpr std::uint32_t constants[] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
            const std::uint32_t next = std::rotl(a, 5) + mix + e + constants[i / 20] + words[i];
            e = d;
            d = c;
            c = std::rotl(b, 30);
            b = a;
            a = next;
        }
        hash = {hash[0] + a, hash[1] + b, hash[2] + c, hash[3] + d, hash[4] + e};
    }
    std::array<std::uint8_t, 20> out{};
    for (std::size_t i = 0; i < 20; ++i) {
        out[i] = static_cast<std::uint8_t>(hash[i / 4] >> (24 - 8 * (i % 4)));
    }
    return out;
}

/// UUIDv5 of a name in a namespace. [RFC 9562, section 5.5]
inline Uuid uuid_v5(const Uuid &name_space, std::string_view name) {
    std::string message;
    std::string digits;
    for (const char c : name_space.text()) {
        if (c != '-') {
            digits += c;
        }
    }
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        unsigned byte = 0;
        std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
        message += static_cast<char>(byte);
    }
    auto hash = sha1(message.append(name));
    hash[6] = static_cast<std::uint8_t>((hash[6] & 0x0F) | 0x50);
    hash[8] = static_cast<std::uint8_t>((hash[8] & 0x3F) | 0x80);
    std::string text;
    for (std::size_t i = 0; i < 16; ++i) {
        text += "0123456789abcdef"[hash[i] >> 4];
        text += "0123456789abcdef"[hash[i] & 15];
        text += i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "";
    }
    return *Uuid::parse(text);
}

} // namespace weir::testkit
