// SPDX-License-Identifier: Apache-2.0
#include "small_schema.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace weir::store;
using namespace weir::test;
using Catch::Contains;

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

/// One row of `users` and what happens to it.
struct Subject {
    Schema schema = small_schema();
    std::optional<Row> row;
    bool stale = false;

    std::string apply(const Change &change, const Origin &origin = make_origin(1, 100)) {
        stale = false;
        return apply_change(schema.tables[change.table], change, origin, row, stale).value_or("");
    }
    const Value &at(std::uint32_t column) const { return row.value().at(column); }
};

std::vector<Cell> with_email(std::vector<Cell> cells) {
    cells.push_back({users::kEmail, CellOperation::set, std::string("a@b")});
    return cells;
}

Change upsert(std::vector<Cell> cells, const std::string &key = "Ann") {
    return make_change(ChangeKind::upsert, key, with_email(std::move(cells)));
}
Change update(std::vector<Cell> cells) { return make_change(ChangeKind::update, "Ann", std::move(cells)); }
Value number(std::int64_t value) { return value; }

} // namespace

TEST_CASE("a row that is made takes its defaults from the schema, the event's clock and the event's id") {
    Subject subject;
    CHECK(subject.apply(upsert({}), make_origin(1, 100)).empty());
    CHECK(subject.at(users::kName) == Value(std::string("Ann")));
    CHECK(subject.at(users::kVisits) == Value());
    CHECK(subject.at(users::kCredit) == number(500));
    CHECK(subject.at(users::kUpdated) == Value());
    CHECK(subject.at(users::kMade) == number(100));
    const Value id = subject.at(users::kId);

    Subject rerun;
    CHECK(rerun.apply(upsert({}), make_origin(1, 100)).empty());
    CHECK(rerun.row == subject.row);

    Subject other_event;
    other_event.apply(upsert({}), make_origin(2, 100));
    CHECK(other_event.at(users::kId) != id);
    Subject other_row;
    other_row.apply(upsert({}, "Bob"), make_origin(1, 100));
    CHECK(other_row.at(users::kId) != id);
    Subject other_spelling;
    other_spelling.apply(upsert({}, "ANN"), make_origin(1, 100));
    CHECK(other_spelling.at(users::kId) == id);
}

TEST_CASE("on a new row add, max and min start from the default, or from null") {
    Subject subject;
    subject.apply(upsert({{users::kVisits, CellOperation::add, number(2)},
                          {users::kCredit, CellOperation::add, number(25)},
                          {users::kUpdated, CellOperation::min, number(9)}}));
    CHECK(subject.at(users::kVisits) == number(2));
    CHECK(subject.at(users::kCredit) == number(525));
    CHECK(subject.at(users::kUpdated) == number(9));
    for (const auto &[operation, operand, expected] : {std::tuple{CellOperation::max, 499, 500},
                                                       {CellOperation::max, 501, 501},
                                                       {CellOperation::min, 499, 499},
                                                       {CellOperation::min, 501, 500}}) {
        Subject made;
        made.apply(upsert({{users::kCredit, operation, number(operand)}}));
        CHECK(made.at(users::kCredit) == number(expected));
    }
}

TEST_CASE("on an existing row set writes, keep does not, add counts null as 0, max and min count it as absent") {
    Subject subject;
    subject.apply(upsert({}));
    subject.apply(upsert({{users::kVisits, CellOperation::keep, number(8)}, {users::kCredit, CellOperation::set, number(1)}}, "ANN"));
    CHECK(subject.at(users::kName) == Value(std::string("Ann")));
    CHECK(subject.at(users::kVisits) == Value());
    CHECK(subject.at(users::kCredit) == number(1));
    subject.apply(update({{users::kVisits, CellOperation::add, number(-3)}, {users::kUpdated, CellOperation::max, number(5)}}));
    CHECK(subject.at(users::kVisits) == number(-3));
    CHECK(subject.at(users::kUpdated) == number(5));
    subject.apply(update({{users::kVisits, CellOperation::max, Value()}, {users::kUpdated, CellOperation::max, number(4)}}));
    CHECK(subject.at(users::kVisits) == number(-3));
    CHECK(subject.at(users::kUpdated) == number(5));
    subject.apply(update({{users::kVisits, CellOperation::set, Value()}, {users::kUpdated, CellOperation::min, number(4)}}));
    CHECK(subject.at(users::kVisits) == Value());
    CHECK(subject.at(users::kUpdated) == number(4));
    CHECK(subject.at(users::kMade) == number(100));
}

TEST_CASE("insert leaves an existing row alone, update and erase a missing one") {
    Subject subject;
    CHECK(subject.apply(update({{users::kVisits, CellOperation::set, number(1)}})).empty());
    CHECK_FALSE(subject.row);
    CHECK(subject.apply(make_change(ChangeKind::erase, "Ann")).empty());
    CHECK_FALSE(subject.row);
    subject.apply(make_change(ChangeKind::insert, "Ann", with_email({{users::kVisits, CellOperation::add, number(1)}})));
    const std::optional<Row> made = subject.row;
    REQUIRE(made);
    subject.apply(make_change(ChangeKind::insert, "Ann", with_email({{users::kVisits, CellOperation::add, number(1)}})));
    CHECK(subject.row == made);
    subject.apply(make_change(ChangeKind::erase, "Ann"));
    CHECK_FALSE(subject.row);
}

TEST_CASE("a guard lets an equal or later change through, and any where the column is null or the row missing") {
    const auto guarded = [](Change change, std::int64_t value) {
        change.guard = Guard{users::kUpdated, value};
        return change;
    };
    Subject subject;
    CHECK(subject.apply(guarded(update({}), 1)).empty());
    CHECK_FALSE(subject.stale);
    subject.apply(guarded(upsert({{users::kUpdated, CellOperation::set, Value()}}), 1));
    CHECK(subject.row);
    CHECK_FALSE(subject.stale);
    subject.apply(guarded(update({{users::kUpdated, CellOperation::set, number(10)}}), 1));
    CHECK(subject.at(users::kUpdated) == number(10));

    subject.apply(guarded(update({{users::kVisits, CellOperation::set, number(1)}}), 9));
    CHECK(subject.stale);
    CHECK(subject.at(users::kVisits) == Value());
    subject.apply(guarded(update({{users::kVisits, CellOperation::set, number(2)}}), 10));
    CHECK_FALSE(subject.stale);
    CHECK(subject.at(users::kVisits) == number(2));
    subject.apply(guarded(make_change(ChangeKind::erase, "Ann"), 9));
    CHECK(subject.stale);
    CHECK(subject.row);
    subject.apply(guarded(make_change(ChangeKind::erase, "Ann"), 11));
    CHECK_FALSE(subject.row);
}

TEST_CASE("a sum beyond its type refuses the whole change, and the row stays as it was") {
    Subject subject;
    CHECK_THAT(subject.apply(upsert({{users::kCredit, CellOperation::add, number(9500)}})), Contains("column credit"));
    CHECK_FALSE(subject.row);
    subject.apply(upsert({{users::kVisits, CellOperation::set, number(kMost)}}));
    const std::optional<Row> before = subject.row;
    CHECK_THAT(subject.apply(update({{users::kUpdated, CellOperation::set, number(1)}, {users::kVisits, CellOperation::add, number(1)}})),
               Contains("column visits"));
    CHECK(subject.row == before);
    CHECK_THAT(
        subject.apply(update({{users::kUpdated, CellOperation::set, number(1)}, {users::kCredit, CellOperation::add, number(9500)}})),
        Contains("beyond the range"));
    CHECK(subject.row == before);
    CHECK(subject.apply(update({{users::kCredit, CellOperation::add, number(9499)}})).empty());
    CHECK(subject.at(users::kCredit) == number(9999));
}

TEST_CASE("a null where none may be refuses the change, but not where keep leaves the cell alone") {
    Subject subject;
    CHECK_THAT(subject.apply(make_change(ChangeKind::upsert, "Ann")), Contains("column email: is null"));
    CHECK_FALSE(subject.row);
    subject.apply(upsert({}));
    const std::optional<Row> before = subject.row;
    CHECK_THAT(subject.apply(update({{users::kVisits, CellOperation::set, number(1)}, {users::kEmail, CellOperation::set, Value()}})),
               Contains("column email"));
    CHECK(subject.row == before);
    CHECK(subject.apply(update({{users::kEmail, CellOperation::keep, Value()}})).empty());
    CHECK(subject.row == before);
}

TEST_CASE("keys of citext columns name one row whatever their ASCII case, others do not") {
    const Schema schema = small_schema();
    CHECK(comparable_key(schema.tables[0], {std::string("AnN-\xC3\x89")}) == Key{std::string("ann-\xC3\x89")});
    CHECK(comparable_key(schema.tables[1], {std::string("Cats")}) == Key{std::string("Cats")});
}
