// SPDX-License-Identifier: Apache-2.0
#include "http/entity_tag.hpp"

#include "http/list.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace weir::http {

namespace {

std::uint64_t mixed(std::uint64_t value) noexcept { // the finalizer of splitmix64: each bit of the input changes half of the output
    value ^= value >> 30;
    value *= 0xBF58476D1CE4E5B9u;
    value ^= value >> 27;
    value *= 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

std::uint64_t hash_of(std::string_view body, std::uint64_t seed) noexcept {
    std::uint64_t hash = seed;
    while (!body.empty()) {
        std::array<unsigned char, 8> bytes{};
        const std::size_t length = body.size() < 8 ? body.size() : 8;
        std::memcpy(bytes.data(), body.data(), length);
        std::uint64_t word = 0;
        for (std::size_t at = 8; at-- > 0;) { // the same on every machine
            word = word << 8 | bytes[at];
        }
        hash = mixed(hash ^ word) + 0x9E3779B97F4A7C15u;
        body.remove_prefix(length);
    }
    return mixed(hash);
}

void append_hex(std::string &out, std::uint64_t value) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (int shift = 60; shift >= 0; shift -= 4) {
        out += kDigits[(value >> shift) & 15];
    }
}

} // namespace

std::string entity_tag_of(std::string_view body) {
    std::string tag = "\"";
    append_hex(tag, hash_of(body, 0x243F6A8885A308D3u));
    append_hex(tag, hash_of(body, 0x13198A2E03707344u));
    return tag + "-" + std::to_string(body.size()) + "\"";
}

bool names_tag(std::string_view if_none_match, std::string_view tag) {
    const auto strong = [](std::string_view text) { return text.substr(0, 2) == "W/" ? text.substr(2) : text; };
    bool named = false;
    for_each_element(if_none_match, [&](std::string_view one) { named = named || one == "*" || strong(one) == strong(tag); });
    return named;
}

} // namespace weir::http
