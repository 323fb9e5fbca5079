// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"

#include <catch2/catch.hpp>

#include <limits>

namespace weir::test {

using namespace store;

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

void round_trip(StorePlace &place, std::uint32_t column, const std::vector<Value> &values) {
    auto store = place.open();
    auto session = contract_domain(*store)->open();
    std::vector<Row> rows;
    std::vector<Key> keys;
    for (std::size_t i = 0; i < values.size(); ++i) {
        Row row = full_row("row");
        row[all_types::kPart] = static_cast<std::int64_t>(i);
        row[column] = values[i];
        keys.push_back({row[all_types::kId], row[all_types::kPart]});
        rows.push_back(std::move(row));
    }
    const std::vector<TableFlush> flush = {created(all_types::kTable, rows)};
    transact(*session, [&] { session->flush(flush); });
    const auto found = session->fetch(all_types::kTable, keys);
    REQUIRE(found.size() == rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        INFO("value " << i);
        REQUIRE(found[i]);
        CHECK(*found[i] == rows[i]);
    }
}

Value text(std::string value) { return value; }
Value integer(std::int64_t value) { return value; }

} // namespace

std::vector<Promise> row_promises() {
    return {
        {"texts come back as they went in, whatever they say",
         [](StorePlace &place) {
             round_trip(place, all_types::kCitext,
                        {text(""), text("a"), text("A"), text("it's"), text("\"; drop table x; --"),
                         text("\xF0\x9F\x98\x80 \xC3\xA9 \xE2\x80\xAE"), text("a\nb\tc\r\\x00"), text("null"), text(" "),
                         text("{\"a\":[1,null]}"), text("x'00'"), text("1e5"), text("123"), text(std::string(70'000, 'y')), Value()});
         }},
        {"integers come back up to their limits",
         [](StorePlace &place) {
             round_trip(place, all_types::kInteger,
                        {integer(0), integer(-1), integer(kMost), integer(kLeast), integer(1LL << 32), integer((1LL << 53) + 1), Value()});
         }},
        {"numbers come back bit by bit",
         [](StorePlace &place) {
             round_trip(place, all_types::kNumber,
                        {0.0, 0.1, -1.5, 1e300, 5e-324, 1.7976931348623157e308, 3.0, 9007199254740993.0, Value()});
         }},
        {"decimals come back exactly",
         [](StorePlace &place) {
             round_trip(
                 place, all_types::kDecimal,
                 {integer(0), integer(1), integer(-1), integer(999'999'999'999'999'999), integer(-999'999'999'999'999'999), Value()});
         }},
        {"booleans come back",
         [](StorePlace &place) {
             round_trip(place, all_types::kBoolean, {integer(0), integer(1), Value()});
         }},
        {"uuids come back in lower case",
         [](StorePlace &place) {
             round_trip(place, all_types::kUuid,
                        {text("00000000-0000-0000-0000-000000000000"), text("ffffffff-ffff-ffff-ffff-ffffffffffff"),
                         text("018f3a5c-7d1e-7a90-b3c4-0123456789ab")});
         }},
        {"times come back to the microsecond, from the year 1 to 9999",
         [](StorePlace &place) {
             round_trip(
                 place, all_types::kTime,
                 {integer(0), integer(-1), integer(1'763'978'407'040'058), integer(event::kEarliest), integer(event::kLatest), Value()});
         }},
        {"documents come back",
         [](StorePlace &place) {
             round_trip(
                 place, all_types::kJson,
                 {text("null"), text("{}"), text("{\"a\": [1, 2.5, \"\xC3\xA9\"], \"b\": null}"), text("\"\xF0\x9F\x98\x80\""), Value()});
         }},
        {"bytes come back, NULs and broken UTF-8 included",
         [](StorePlace &place) {
             std::string all;
             for (int i = 0; i < 256; ++i) {
                 all += static_cast<char>(i);
             }
             round_trip(place, all_types::kBytes,
                        {text(""), text(std::string(1, '\0')), text(std::string("a\0b\0", 4)), text("\xFF\xFE\x80"), text(all),
                         text(std::string(100'000, '\0')), Value()});
         }},
        {"fetching answers each key in its place, and nothing for those without a row",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             const std::vector<TableFlush> flush = {created(people::kTable, {person("b", {}, 1), person("d", {}, 2)})};
             transact(*session, [&] { session->flush(flush); });
             const std::vector<Key> keys = {{text("a")}, {text("b")}, {text("c")}, {text("d")}, {text("e")}};
             const auto rows = session->fetch(people::kTable, keys);
             REQUIRE(rows.size() == 5);
             CHECK_FALSE(rows[0]);
             CHECK(rows[1] == person("b", {}, 1));
             CHECK_FALSE(rows[2]);
             CHECK(rows[3] == person("d", {}, 2));
             CHECK_FALSE(rows[4]);
             CHECK(session->fetch(people::kTable, {}).empty());
             CHECK(session->count_rows(people::kTable) == 2);
         }},
    };
}

} // namespace weir::test
