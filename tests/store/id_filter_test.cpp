// SPDX-License-Identifier: Apache-2.0
#include "store/id_filter.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::store;

namespace {

/// Ids that differ in few bits: a counter in the last bytes, or in the first ones, as ids made from a clock have it.
event::Uuid id_of(std::uint64_t number, bool in_front) {
    event::Uuid id;
    for (std::size_t i = 0; i < 8; ++i) {
        id.bytes[in_front ? i : 15 - i] = static_cast<std::uint8_t>(number >> (8 * (in_front ? 5 - std::min<std::size_t>(i, 5) : i)));
    }
    return id;
}

} // namespace

TEST_CASE("a filter never denies an id that was added, and seldom takes another for one") {
    constexpr std::uint64_t kIds = 20'000;
    for (const bool in_front : {false, true}) {
        IdFilter filter(kIds);
        for (std::uint64_t i = 0; i < kIds; ++i) {
            filter.add(id_of(i, in_front));
        }
        std::uint64_t wrong = 0;
        for (std::uint64_t i = 0; i < kIds; ++i) {
            REQUIRE(filter.may_contain(id_of(i, in_front)));
            wrong += filter.may_contain(id_of(i + kIds, in_front)) ? 1 : 0;
        }
        CHECK(wrong < kIds / 100);
        const auto again = IdFilter::from_bytes(filter.bytes());
        REQUIRE(again);
        CHECK(again->bytes() == filter.bytes());
        CHECK(again->may_contain(id_of(17, in_front)));
        CHECK(filter.bytes().size() < kIds * 2);
    }
}

TEST_CASE("a filter that was made for too few ids still denies none of them") {
    IdFilter filter(0);
    for (std::uint64_t i = 0; i < 1000; ++i) {
        filter.add(id_of(i, false));
        REQUIRE(filter.may_contain(id_of(i, false)));
    }
}

TEST_CASE("bytes that are no filter are not taken for one") {
    const std::string good = IdFilter(100).bytes();
    CHECK_FALSE(IdFilter::from_bytes(""));
    CHECK_FALSE(IdFilter::from_bytes("x" + good));
    CHECK_FALSE(IdFilter::from_bytes(good.substr(0, good.size() - 1)));
    CHECK_FALSE(IdFilter::from_bytes(good.substr(0, 16)));
    CHECK(IdFilter::from_bytes(good));
}
