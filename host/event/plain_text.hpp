// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace weir::event {

/// The first byte from `at` on that is a quote, a backslash or a control character, or `last`: what lies before needs no unescaping.
/// @param ascii becomes false where a byte beyond ASCII was passed
inline const char *find_end_of_plain_text(const char *at, const char *last, bool &ascii) noexcept {
    const auto ends = [](unsigned char c) { return c < 0x20 || c == '"' || c == '\\'; };
    constexpr std::uint64_t each = 0x0101010101010101;
    while (last - at >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        // The highest bit of each byte that is below 0x20, equal to one of the two or beyond ASCII. A borrow can set it wrongly, but only
        // in bytes after one where it is set rightly.
        const std::uint64_t found =
            ((word - each * 0x20) | ((word ^ each * '"') - each) | ((word ^ each * '\\') - each) | word) & (each * 0x80);
        if (found == 0) {
            at += 8;
            continue;
        }
        if constexpr (std::endian::native == std::endian::little) {
            at += std::countr_zero(found) / 8;
        }
        // From here byte by byte to the end, or to where eight are ASCII again.
        const char *const piece = last - at >= 8 ? at + 8 : last;
        for (; at != piece; ++at) {
            if (ends(static_cast<unsigned char>(*at))) {
                return at;
            }
            ascii = ascii && static_cast<unsigned char>(*at) < 0x80;
        }
    }
    for (; at != last && !ends(static_cast<unsigned char>(*at)); ++at) {
        ascii = ascii && static_cast<unsigned char>(*at) < 0x80;
    }
    return at;
}

} // namespace weir::event
