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
constexpr std::uint8_t kNoDigit = 0x80;

/// The value of each character as a hexadecimal digit. A table, as branches on random digits cost more than all the rest.
constexpr std::array<std::uint8_t, 256> kHexValues = [] {
    std::array<std::uint8_t, 256> values{};
    values.fill(kNoDigit);
    for (std::uint8_t i = 0; i < 10; ++i) {
        values[static_cast<std::size_t>('0' + i)] = i;
    }
    for (std::uint8_t i = 0; i < 6; ++i) {
        values[static_cast<std::size_t>('a' + i)] = static_cast<std::uint8_t>(10 + i);
        values[static_cast<std::size_t>('A' + i)] = static_cast<std::uint8_t>(10 + i);
    }
    return values;
}();

void set_version(Uuid &id, unsigned version) {
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0Fu) | version << 4);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3Fu) | 0x80u);
}

} // namespace

std::optional<Uuid> Uuid::parse(std::string_view text) noexcept {
    if (text.size() != 36) {
        return std::nullopt;
    }
    Uuid id;
    unsigned seen = 0;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        const unsigned high = kHexValues[static_cast<unsigned char>(text[kDigits[i]])];
        const unsigned low = kHexValues[static_cast<unsigned char>(text[kDigits[i] + 1])];
        seen |= high | low;
        id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    if ((seen & kNoDigit) != 0 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') {
        return std::nullopt;
    }
    return id;
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
