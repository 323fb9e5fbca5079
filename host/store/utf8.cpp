// SPDX-License-Identifier: Apache-2.0
#include "utf8.hpp"

#include <cstdint>
#include <cstring>

namespace weir::store {

namespace {

constexpr std::uint64_t kHighBits = 0x8080808080808080U;
constexpr std::uint64_t kOnes = 0x0101010101010101U;

/// How many bytes the character at `at` has; 0 where it is none. The limits of the second byte keep out overlong forms, surrogates and what
/// is too large.
std::size_t character_length(const unsigned char *at, std::size_t left) noexcept {
    const auto continues = [&](std::size_t i) { return (at[i] & 0xC0U) == 0x80U; };
    const unsigned lead = at[0];
    if (lead >= 0xC2 && lead <= 0xDF) {
        return left >= 2 && continues(1) ? 2 : 0;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        const unsigned least = lead == 0xE0 ? 0xA0 : 0x80;
        const unsigned most = lead == 0xED ? 0x9F : 0xBF;
        return left >= 3 && at[1] >= least && at[1] <= most && continues(2) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const unsigned least = lead == 0xF0 ? 0x90 : 0x80;
        const unsigned most = lead == 0xF4 ? 0x8F : 0xBF;
        return left >= 4 && at[1] >= least && at[1] <= most && continues(2) && continues(3) ? 4 : 0;
    }
    return 0;
}

} // namespace

bool is_utf8(std::string_view text, bool &nul) noexcept {
    const auto *at = reinterpret_cast<const unsigned char *>(text.data());
    std::size_t left = text.size();
    nul = false;
    while (left > 0) {
        // Eight ASCII bytes at a time, none of them zero: nearly all text is that.
        while (left >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, at, 8);
            if (((word | (word - kOnes)) & kHighBits) != 0) {
                break;
            }
            at += 8;
            left -= 8;
        }
        if (left == 0) {
            break;
        }
        std::size_t length = 1;
        if (*at >= 0x80) {
            length = character_length(at, left);
            if (length == 0) {
                return false;
            }
        } else if (*at == 0) {
            nul = true;
        }
        at += length;
        left -= length;
    }
    return true;
}

} // namespace weir::store
