// SPDX-License-Identifier: Apache-2.0
#include "event/uuid.hpp"

#include "value_text.hpp"

#include <bit>
#include <cerrno>
#include <cstring>
#include <span>
#include <sys/random.h>
#include <system_error>

namespace weir::event {

namespace {

/// SHA-1 over bytes that come in pieces. [RFC 3174, section 6.1] Used for names only, never where somebody must not find a collision.
class Sha1 {
public:
    void update(std::span<const std::uint8_t> bytes) {
        length_ += bytes.size();
        while (!bytes.empty()) {
            const std::size_t taken = std::min(bytes.size(), block_.size() - used_);
            std::memcpy(block_.data() + used_, bytes.data(), taken);
            used_ += taken;
            bytes = bytes.subspan(taken);
            if (used_ == block_.size()) {
                process();
                used_ = 0;
            }
        }
    }

    /// The first 16 of the digest's 20 bytes, which is all that a UUID holds.
    std::array<std::uint8_t, 16> finish() {
        const std::uint64_t bits = length_ * 8;
        block_[used_++] = 0x80;
        if (used_ > 56) {
            std::memset(block_.data() + used_, 0, block_.size() - used_);
            process();
            used_ = 0;
        }
        std::memset(block_.data() + used_, 0, 56 - used_);
        for (std::size_t i = 0; i < 8; ++i) {
            block_[56 + i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
        }
        process();
        std::array<std::uint8_t, 16> digest{};
        for (std::size_t i = 0; i < digest.size(); ++i) {
            digest[i] = static_cast<std::uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
        }
        return digest;
    }

private:
    void process() {
        std::array<std::uint32_t, 80> w{};
        for (std::size_t t = 0; t < 16; ++t) {
            w[t] = std::uint32_t{block_[4 * t]} << 24 | std::uint32_t{block_[4 * t + 1]} << 16 | std::uint32_t{block_[4 * t + 2]} << 8 |
                   std::uint32_t{block_[4 * t + 3]};
        }
        for (std::size_t t = 16; t < 80; ++t) {
            w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        }
        auto [a, b, c, d, e] = state_;
        for (std::size_t t = 0; t < 80; ++t) {
            std::uint32_t f = 0;
            std::uint32_t k = 0;
            if (t < 20) {
                f = (b & c) | (~b & d);
                k = 0x5A827999;
            } else if (t < 40) {
                f = b ^ c ^ d;
                k = 0x6ED9EBA1;
            } else if (t < 60) {
                f = (b & c) | (b & d) | (c & d);
                k = 0x8F1BBCDC;
            } else {
                f = b ^ c ^ d;
                k = 0xCA62C1D6;
            }
            const std::uint32_t next = std::rotl(a, 5) + f + e + w[t] + k;
            e = d;
            d = c;
            c = std::rotl(b, 30);
            b = a;
            a = next;
        }
        state_[0] += a;
        state_[1] += b;
        state_[2] += c;
        state_[3] += d;
        state_[4] += e;
    }

    std::array<std::uint32_t, 5> state_{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    std::array<std::uint8_t, 64> block_{};
    std::size_t used_ = 0;
    std::uint64_t length_ = 0;
};

/// Where the two digits of each byte begin in the text.
constexpr std::array<std::uint8_t, 16> kDigits{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

/// The 32 digits of a UUID's text without its hyphens. Loops over them have neither branches nor tables, so that compilers make a few
/// vector instructions of each: an event's ids and keys are looked at many times.
struct Digits {
    alignas(16) std::array<std::uint8_t, 32> at;
};

std::optional<Digits> digits_of(std::string_view text) noexcept {
    if (text.size() != UuidText::kSize || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') {
        return std::nullopt;
    }
    Digits digits; // NOLINT: all of it is written next
    std::memcpy(digits.at.data(), text.data(), 8);
    std::memcpy(digits.at.data() + 8, text.data() + 9, 4);
    std::memcpy(digits.at.data() + 12, text.data() + 14, 4);
    std::memcpy(digits.at.data() + 16, text.data() + 19, 4);
    std::memcpy(digits.at.data() + 20, text.data() + 24, 12);
    return digits;
}

bool is_number(std::uint8_t character) noexcept { return static_cast<std::uint8_t>(character - '0') <= 9; }
bool is_letter(std::uint8_t character) noexcept { return static_cast<std::uint8_t>((character | 0x20) - 'a') <= 5; }

bool are_hexadecimal(const Digits &digits) noexcept {
    std::uint8_t wrong = 0;
    for (const std::uint8_t character : digits.at) {
        wrong |= static_cast<std::uint8_t>(!(is_number(character) | is_letter(character)));
    }
    return wrong == 0;
}

void set_version(Uuid &id, unsigned version) {
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0Fu) | version << 4);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3Fu) | 0x80u);
}

} // namespace

std::optional<Uuid> Uuid::parse(std::string_view text) noexcept {
    std::optional<Digits> digits = digits_of(text);
    if (!digits || !are_hexadecimal(*digits)) {
        return std::nullopt;
    }
    for (std::uint8_t &digit : digits->at) {
        digit = static_cast<std::uint8_t>((digit & 0x0F) + (is_number(digit) ? 0 : 9));
    }
    Uuid id;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        id.bytes[i] = static_cast<std::uint8_t>(digits->at[2 * i] << 4 | digits->at[2 * i + 1]);
    }
    return id;
}

bool Uuid::lower(std::span<char> text) noexcept {
    const std::optional<Digits> digits = digits_of({text.data(), text.size()});
    if (!digits || !are_hexadecimal(*digits)) {
        return false;
    }
    for (char &character : text) {
        character = static_cast<char>(character | 0x20); // digits and hyphens have that bit already
    }
    return true;
}

Uuid Uuid::v5(const Uuid &name_space, std::string_view name) {
    Sha1 sha;
    sha.update(name_space.bytes);
    sha.update({reinterpret_cast<const std::uint8_t *>(name.data()), name.size()});
    Uuid id{sha.finish()};
    set_version(id, 5);
    return id;
}

Uuid Uuid::random() {
    Uuid id;
    std::size_t filled = 0;
    while (filled < id.bytes.size()) {
        const ssize_t got = getrandom(id.bytes.data() + filled, id.bytes.size() - filled, 0);
        if (got > 0) {
            filled += static_cast<std::size_t>(got);
        } else if (errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "getrandom");
        }
    }
    set_version(id, 4);
    return id;
}

UuidText::UuidText(const Uuid &id) noexcept {
    static constexpr char digits[] = "0123456789abcdef";
    text_[8] = text_[13] = text_[18] = text_[23] = '-';
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        text_[kDigits[i]] = digits[id.bytes[i] >> 4];
        text_[kDigits[i] + 1u] = digits[id.bytes[i] & 0x0Fu];
    }
}

std::string Uuid::text() const { return std::string(UuidText(*this)); }

const Uuid &weir_namespace() noexcept {
    static constexpr Uuid value{{0x5b, 0x8f, 0x24, 0x6e, 0x3d, 0x91, 0x4c, 0x07, 0xa2, 0xd6, 0x77, 0x1e, 0xf0, 0x4b, 0xc9, 0x35}};
    return value;
}

} // namespace weir::event

std::size_t std::hash<weir::event::Uuid>::operator()(const weir::event::Uuid &id) const noexcept {
    std::uint64_t halves[2];
    std::memcpy(halves, id.bytes.data(), sizeof halves);
    return static_cast<std::size_t>((halves[0] ^ std::rotl(halves[1], 29)) * 0x9E3779B97F4A7C15ull);
}
