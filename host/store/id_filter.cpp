// SPDX-License-Identifier: Apache-2.0
#include "id_filter.hpp"

#include <algorithm>

namespace weir::store {

namespace {

constexpr std::size_t kBitsPerId = 12;
constexpr std::size_t kWordsPerBlock = 4;
constexpr std::size_t kBitsPerBlock = kWordsPerBlock * 64;
constexpr int kBitsSet = 8; // two in each word
constexpr std::string_view kForm = "weir id filter 1";

std::uint64_t half(const event::Uuid &id, std::size_t from) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        value = value << 8 | id.bytes[from + i];
    }
    return value;
}

// Ids may differ in few bits only (counters, times), wherever these are; every bit of the result depends on all of them.
std::uint64_t mix(std::uint64_t value) noexcept {
    value ^= value >> 31;
    value *= 0x9fb21c651e98df25ull;
    value ^= value >> 29;
    value *= 0xd6e8feb86659fd93ull;
    value ^= value >> 32;
    return value;
}

struct Place {
    std::size_t block;
    std::uint64_t bits; // six for each bit to be set
};

Place place_of(const event::Uuid &id, std::size_t blocks) noexcept {
    const std::uint64_t first = mix(half(id, 0) + 0x632be59bd9b4e019ull);
    const std::uint64_t both = mix(first ^ half(id, 8));
    return {static_cast<std::size_t>((both >> 32) * blocks >> 32), mix(both + 0x2545f4914f6cdd1dull)};
}

} // namespace

IdFilter::IdFilter(std::size_t expected_ids)
    : words_(std::max<std::size_t>(1, (expected_ids * kBitsPerId + kBitsPerBlock - 1) / kBitsPerBlock) * kWordsPerBlock) {}

void IdFilter::add(const event::Uuid &id) noexcept {
    Place place = place_of(id, words_.size() / kWordsPerBlock);
    for (int bit = 0; bit < kBitsSet; ++bit, place.bits >>= 6) {
        words_[place.block * kWordsPerBlock + static_cast<std::size_t>(bit) / 2] |= std::uint64_t{1} << (place.bits & 63);
    }
}

bool IdFilter::may_contain(const event::Uuid &id) const noexcept {
    Place place = place_of(id, words_.size() / kWordsPerBlock);
    bool all = true;
    for (int bit = 0; bit < kBitsSet; ++bit, place.bits >>= 6) {
        all = all && (words_[place.block * kWordsPerBlock + static_cast<std::size_t>(bit) / 2] >> (place.bits & 63) & 1) != 0;
    }
    return all;
}

std::string IdFilter::bytes() const {
    std::string out(kForm);
    out.reserve(kForm.size() + words_.size() * 8);
    for (const std::uint64_t word : words_) {
        for (int byte = 0; byte < 8; ++byte) {
            out += static_cast<char>(word >> (8 * byte) & 0xff);
        }
    }
    return out;
}

std::optional<IdFilter> IdFilter::from_bytes(std::string_view bytes) {
    if (!bytes.starts_with(kForm)) {
        return std::nullopt;
    }
    bytes.remove_prefix(kForm.size());
    if (bytes.empty() || bytes.size() % (kWordsPerBlock * 8) != 0) {
        return std::nullopt;
    }
    IdFilter filter;
    filter.words_.resize(bytes.size() / 8);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        filter.words_[i / 8] |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * (i % 8));
    }
    return filter;
}

} // namespace weir::store
