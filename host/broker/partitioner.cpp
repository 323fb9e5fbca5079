// SPDX-License-Identifier: Apache-2.0
#include "broker/partitioner.hpp"

#include <cstddef>

namespace weir::broker {

namespace {
constexpr std::uint32_t kSeed = 0x9747b28c;
constexpr std::uint32_t kMultiplier = 0x5bd1e995;
constexpr unsigned kShift = 24;

std::uint32_t byte_at(std::string_view bytes, std::size_t index) noexcept { return static_cast<unsigned char>(bytes[index]); }
} // namespace

std::uint32_t murmur2(std::string_view bytes) noexcept {
    std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(bytes.size());
    std::size_t at = 0;
    for (; at + 4 <= bytes.size(); at += 4) {
        std::uint32_t word = byte_at(bytes, at) | byte_at(bytes, at + 1) << 8 | byte_at(bytes, at + 2) << 16 | byte_at(bytes, at + 3) << 24;
        word *= kMultiplier;
        word ^= word >> kShift;
        word *= kMultiplier;
        hash = (hash * kMultiplier) ^ word;
    }
    if (at < bytes.size()) {
        for (std::size_t rest = bytes.size() - at; rest > 0; --rest) {
            hash ^= byte_at(bytes, at + rest - 1) << (8 * (rest - 1));
        }
        hash *= kMultiplier;
    }
    hash ^= hash >> 13;
    hash *= kMultiplier;
    hash ^= hash >> 15;
    return hash;
}

std::uint32_t partition_of(std::string_view key, std::uint32_t partitions) noexcept { return (murmur2(key) & 0x7fffffffU) % partitions; }

} // namespace weir::broker
