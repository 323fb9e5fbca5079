// SPDX-License-Identifier: Apache-2.0
#include "small_schema.hpp"

#include <catch2/catch.hpp>

using namespace weir::store;
using namespace weir::test;
using Catch::Contains;

namespace {

constexpr std::int64_t kOne = 1;

std::string refusal(Change change) {
    static const Schema schema = small_schema();
    return check_change(schema, change).value_or("(taken)");
}

Change upsert(std::vector<Cell> cells) {
    cells.push_back({users::kEmail, CellOperation::set, std::string("a@b")});
    return make_change(ChangeKind::upsert, "ann", std::move(cells));
}

Change guarded(ChangeKind kind, std::uint32_t column, Value value) {
    Change change = make_change(kind, "ann");
    change.guard = Guard{column, std::move(value)};
    return change;
}

} // namespace

TEST_CASE("changes that fit their table are taken") {
    CHECK(refusal(upsert({})) == "(taken)");
    CHECK(refusal(upsert({{users::kVisits, CellOperation::add, kOne},
                          {users::kCredit, CellOperation::max, kOne},
                          {users::kUpdated, CellOperation::min, kOne}})) == "(taken)");
    CHECK(refusal(upsert({{users::kVisits, CellOperation::max, Value()}, {users::kUpdated, CellOperation::set, Value()}})) == "(taken)");
    CHECK(refusal(make_change(ChangeKind::update, "ann")) == "(taken)");
    CHECK(refusal(make_change(ChangeKind::erase, "ann")) == "(taken)");
    CHECK(refusal(guarded(ChangeKind::erase, users::kUpdated, kOne)) == "(taken)");
    for (const CellOperation operation :
         {CellOperation::set, CellOperation::keep, CellOperation::add, CellOperation::max, CellOperation::min}) {
        CHECK(refusal(make_change(ChangeKind::insert, "cats", {{1, operation, kOne}}, 1)) == "(taken)");
    }
}

TEST_CASE("values of a change come out canonical, and an added null as the 0 that it counts for") {
    const Schema schema = small_schema();
    Change change = upsert({{users::kId, CellOperation::set, std::string("018F3A5C-7D1E-7A90-B3C4-0123456789AB")},
                            {users::kVisits, CellOperation::add, Value()}});
    REQUIRE_FALSE(check_change(schema, change));
    CHECK(change.cells[0].value == Value(std::string("018f3a5c-7d1e-7a90-b3c4-0123456789ab")));
    CHECK(change.cells[1].value == Value(std::int64_t{0}));
    CHECK(change.key == Key{std::string("ann")});
}

TEST_CASE("a change that does not fit its table is refused, naming table and column") {
    CHECK_THAT(refusal(make_change(ChangeKind::upsert, "ann", {}, 7)), Contains("table 7 does not exist"));
    CHECK_THAT(refusal(make_change(static_cast<ChangeKind>(0), "ann")), Contains("table users: the kind 0"));
    CHECK_THAT(refusal(make_change(static_cast<ChangeKind>(5), "ann")), Contains("the kind 5"));
    CHECK_THAT(refusal(upsert({{7, CellOperation::set, kOne}})), Contains("column 7 does not exist"));
    CHECK_THAT(refusal(upsert({{users::kName, CellOperation::set, std::string("x")}})),
               Contains("column name: is part of the primary key"));
    CHECK_THAT(refusal(upsert({{users::kEmail, CellOperation::keep, std::string("x")}})), Contains("column email: is stated twice"));
    CHECK_THAT(refusal(upsert({{users::kVisits, CellOperation::set, std::string("1")}})), Contains("column visits: is not of type int64"));
    CHECK_THAT(refusal(upsert({{users::kVisits, static_cast<CellOperation>(6), kOne}})), Contains("operation 6 is unknown"));
    CHECK_THAT(refusal(upsert({{users::kUpdated, CellOperation::add, kOne}})), Contains("add is for int64 and decimal"));
    CHECK_THAT(refusal(upsert({{users::kId, CellOperation::max, std::string()}})), Contains("max and min are for"));
    CHECK_THAT(refusal(upsert({{users::kCredit, CellOperation::set, Value()}})), Contains("column credit: is null"));
    CHECK_THAT(refusal(upsert({{users::kCredit, CellOperation::max, Value()}})), Contains("column credit: is null"));
    CHECK_THAT(refusal(upsert({{users::kCredit, CellOperation::add, std::int64_t{10000}}})), Contains("more than 4 digits"));
    CHECK_THAT(refusal(make_change(ChangeKind::upsert, "ann")), Contains("column email: must be stated"));
    CHECK_THAT(refusal(make_change(ChangeKind::insert, "ann")), Contains("column email: must be stated"));
    CHECK_THAT(refusal(make_change(ChangeKind::erase, "ann", {{users::kVisits, CellOperation::set, kOne}})),
               Contains("an erasure states the key"));
}

TEST_CASE("a key is whole and never null") {
    Change change = make_change(ChangeKind::erase, "ann");
    change.key = {};
    CHECK_THAT(refusal(change), Contains("the primary key has 1 columns, the change states 0"));
    change.key = {Value(), Value()};
    CHECK_THAT(refusal(change), Contains("states 2"));
    change.key = {Value()};
    CHECK_THAT(refusal(change), Contains("column name: is null"));
    change.key = {std::string("\xFF")};
    CHECK_THAT(refusal(change), Contains("column name: is not UTF-8"));
}

TEST_CASE("a guard that cannot be compared is refused") {
    CHECK_THAT(refusal(guarded(ChangeKind::update, users::kEmail, std::string("x"))), Contains("a guard compares"));
    CHECK_THAT(refusal(guarded(ChangeKind::update, users::kUpdated, Value())), Contains("a guard can't be null"));
    CHECK_THAT(refusal(guarded(ChangeKind::update, users::kUpdated, std::string("now"))), Contains("is not of type timestamp"));
    CHECK_THAT(refusal(guarded(ChangeKind::update, 12, kOne)), Contains("the guard's column 12"));
    Change change = make_change(ChangeKind::insert, "cats", {{1, CellOperation::set, kOne}}, 1);
    change.guard = Guard{1, kOne};
    CHECK_THAT(refusal(change), Contains("insert takes no guard"));
}
