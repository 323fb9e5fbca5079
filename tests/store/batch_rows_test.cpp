// SPDX-License-Identifier: Apache-2.0
#include "memory_database.hpp"
#include "small_schema.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace weir::store;
using namespace weir::test;
using Catch::Contains;

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

Value number(std::int64_t value) { return value; }

/// A database with the small schema, and one batch on it.
struct Fixture {
    Schema schema = small_schema();
    MemoryDatabase database{schema};
    std::vector<std::vector<Key>> fetched;
    std::unique_ptr<BatchRows> rows = open();

    std::unique_ptr<BatchRows> open() {
        return std::make_unique<BatchRows>(schema, [this](std::uint32_t table, std::span<const Key> keys) {
            fetched.emplace_back(keys.begin(), keys.end());
            return database.fetch(table, keys);
        });
    }
    void add(std::size_t event, const Change &change) {
        rows->add(event, make_origin(static_cast<std::uint8_t>(event), 100 + static_cast<std::int64_t>(event)), {&change, 1});
    }

    /// Finishes the batch, writes it and begins another.
    std::vector<TableFlush> flush() {
        std::vector<TableFlush> result = rows->finish();
        database.flush(result);
        rows = open();
        fetched.clear();
        return result;
    }
};

Change vote(const std::string &choice, CellOperation operation, std::int64_t value, ChangeKind kind = ChangeKind::upsert) {
    return make_change(kind, choice, {{1, operation, value}}, 1);
}

Change user(const std::string &name, std::vector<Cell> cells = {}) {
    cells.push_back({users::kEmail, CellOperation::set, std::string("a@b")});
    return make_change(ChangeKind::upsert, name, std::move(cells));
}

Change guarded(Change change, std::uint32_t column, std::int64_t value) {
    change.guard = Guard{column, value};
    return change;
}

} // namespace

TEST_CASE("thousands of votes become one blind row a choice and no fetch") {
    Fixture fixture;
    for (std::size_t i = 0; i < 3000; ++i) {
        fixture.add(i, vote(i % 3 == 0 ? "cats" : "dogs", CellOperation::add, 1));
    }
    const std::vector<TableFlush> flush = fixture.rows->finish();
    CHECK(fixture.fetched.empty());
    REQUIRE(flush.size() == 1);
    REQUIRE(flush[0].blind.size() == 1);
    CHECK(flush[0].table == 1);
    CHECK(flush[0].blind[0].shape.kind == ChangeKind::upsert);
    CHECK(flush[0].blind[0].shape.columns == std::vector<std::uint32_t>{0, 1});
    CHECK(flush[0].blind[0].shape.operations == std::vector<CellOperation>{CellOperation::set, CellOperation::add});
    CHECK(flush[0].blind[0].rows == std::vector<Row>{{std::string("cats"), number(1000)}, {std::string("dogs"), number(2000)}});
}

TEST_CASE("what one statement cannot say fetches the row, all of a table's in one call, sorted and comparable") {
    Fixture fixture;
    fixture.add(0, make_change(ChangeKind::update, "Zoe", {{users::kVisits, CellOperation::set, number(1)}}));
    fixture.add(1, guarded(user("bob"), users::kUpdated, 1));
    fixture.add(2, make_change(ChangeKind::erase, "ANN"));
    fixture.add(3, user("carl", {{users::kCredit, CellOperation::add, number(1)}})); // the default is not 0
    fixture.add(4, user("dora"));
    fixture.rows->finish();
    CHECK(fixture.fetched ==
          std::vector<std::vector<Key>>{{{std::string("ann")}, {std::string("bob")}, {std::string("carl")}, {std::string("zoe")}}});
}

TEST_CASE("sequences whose new and existing rows part are evaluated against the row") {
    const std::vector<std::vector<Change>> sequences = {
        {vote("x", CellOperation::set, 5, ChangeKind::insert), vote("x", CellOperation::add, 1)},
        {vote("x", CellOperation::keep, 5), vote("x", CellOperation::add, 1)},
        {vote("x", CellOperation::add, 5), vote("x", CellOperation::max, 7)},
        {vote("x", CellOperation::max, 5), vote("x", CellOperation::add, 1)},
        {vote("x", CellOperation::max, 5), vote("x", CellOperation::min, 1)},
        {vote("x", CellOperation::add, kMost), vote("x", CellOperation::add, 1)},
        {vote("x", CellOperation::set, 1), make_change(ChangeKind::erase, "x", {}, 1)},
    };
    for (const std::vector<Change> &sequence : sequences) {
        Fixture fixture;
        for (std::size_t i = 0; i < sequence.size(); ++i) {
            fixture.add(i, sequence[i]);
        }
        for (const TableFlush &flush : fixture.rows->finish()) {
            CHECK(flush.blind.empty());
        }
        CHECK(fixture.fetched.size() == 1);
    }
}

TEST_CASE("a row that changes certainly make may be updated blind, and a set hides what came before it") {
    Fixture fixture;
    fixture.add(0, vote("x", CellOperation::add, 5));
    fixture.add(1, vote("x", CellOperation::set, 7));
    fixture.add(2, vote("x", CellOperation::add, 2, ChangeKind::update));
    fixture.add(3, vote("x", CellOperation::max, 8));
    const std::vector<TableFlush> flush = fixture.rows->finish();
    CHECK(fixture.fetched.empty());
    REQUIRE(flush.size() == 1);
    REQUIRE(flush[0].blind.size() == 1);
    CHECK(flush[0].blind[0].shape.operations[1] == CellOperation::set);
    CHECK(flush[0].blind[0].rows == std::vector<Row>{{std::string("x"), number(9)}});
}

TEST_CASE("extremes fold blind whichever comes first") {
    for (const CellOperation operation : {CellOperation::max, CellOperation::min}) {
        Fixture fixture;
        for (const std::int64_t value : {5, 9, 3}) {
            fixture.add(static_cast<std::size_t>(value), vote("x", operation, value));
        }
        const std::vector<TableFlush> flush = fixture.rows->finish();
        CHECK(fixture.fetched.empty());
        CHECK(flush.at(0).blind.at(0).rows == std::vector<Row>{{std::string("x"), number(operation == CellOperation::max ? 9 : 3)}});
    }
}

TEST_CASE("a blind row is made with the clock, the id and the spelling of the event that makes it") {
    Fixture fixture;
    fixture.add(1, user("Ann"));
    fixture.add(2, user("ANN"));
    fixture.flush();
    std::optional<Row> alone;
    bool stale = false;
    REQUIRE_FALSE(apply_change(fixture.schema.tables[0], user("Ann"), make_origin(1, 101), alone, stale));
    CHECK(fixture.database.rows(0) == std::vector<Row>{*alone});

    fixture.add(3, user("aNN", {{users::kVisits, CellOperation::set, number(3)}}));
    const std::vector<TableFlush> flush = fixture.flush();
    CHECK(flush.at(0).blind.size() == 1);
    (*alone)[users::kVisits] = number(3);
    CHECK(fixture.database.rows(0) == std::vector<Row>{*alone});
}

TEST_CASE("rows of one shape are one write, sorted by comparable key, and only insertions do nothing on conflict") {
    Fixture fixture;
    fixture.add(0, user("b"));
    fixture.add(1, user("C"));
    fixture.add(2, user("A"));
    fixture.add(3, make_change(ChangeKind::insert, "d", {{users::kEmail, CellOperation::set, std::string("d@d")}}));
    const std::vector<TableFlush> flush = fixture.rows->finish();
    REQUIRE(flush.size() == 1);
    REQUIRE(flush[0].blind.size() == 2);
    std::vector<Value> names;
    for (const Row &row : flush[0].blind[0].rows) {
        names.push_back(row[0]);
    }
    CHECK(names == std::vector<Value>{std::string("A"), std::string("b"), std::string("C")});
    CHECK(flush[0].blind[0].shape.kind == ChangeKind::upsert);
    CHECK(flush[0].blind[1].shape.kind == ChangeKind::insert);
}

TEST_CASE("a read sees all changes added so far, costs one fetch, and none after a prefetch") {
    Fixture fixture;
    fixture.add(0, vote("cats", CellOperation::set, 4));
    fixture.flush();

    fixture.add(0, vote("cats", CellOperation::add, 1));
    CHECK(fixture.rows->read(1, {std::string("cats")}) == Row{std::string("cats"), number(5)});
    fixture.add(1, vote("cats", CellOperation::add, 1));
    CHECK(fixture.rows->read(1, {std::string("cats")}) == Row{std::string("cats"), number(6)});
    CHECK(fixture.fetched.size() == 1);
    CHECK_FALSE(fixture.rows->read(1, {std::string("dogs")}));
    CHECK(fixture.fetched.size() == 2);
    fixture.rows->prefetch(1, {{std::string("eels")}, {std::string("cats")}, {std::string("bees")}, {std::string("eels")}});
    CHECK(fixture.fetched.back() == std::vector<Key>{{std::string("bees")}, {std::string("eels")}});
    CHECK_FALSE(fixture.rows->read(1, {std::string("eels")}));
    fixture.rows->prefetch(1, {{std::string("eels")}});
    fixture.rows->prefetch(1, {});
    CHECK(fixture.fetched.size() == 3);
    const std::vector<TableFlush> flush = fixture.flush();
    REQUIRE(flush.size() == 1);
    CHECK(flush[0].changed == std::vector<Row>{{std::string("cats"), number(6)}});
    CHECK(flush[0].changed_columns == std::vector<std::uint32_t>{1});
}

TEST_CASE("only what really differs is flushed") {
    Fixture fixture;
    fixture.add(0, vote("cats", CellOperation::set, 4));
    fixture.add(1, vote("dogs", CellOperation::set, 4));
    fixture.flush();

    fixture.add(0, vote("cats", CellOperation::set, 4, ChangeKind::update));
    fixture.add(1, vote("cats", CellOperation::add, 0, ChangeKind::update));
    fixture.add(2, make_change(ChangeKind::erase, "nobody", {}, 1));
    fixture.add(3, make_change(ChangeKind::erase, "dogs", {}, 1));
    fixture.add(4, vote("dogs", CellOperation::set, 4));
    fixture.add(5, vote("eels", CellOperation::set, 1));
    fixture.add(6, make_change(ChangeKind::erase, "eels", {}, 1));
    fixture.rows->read(1, {std::string("owls")});
    CHECK(fixture.flush().empty());
    CHECK(fixture.rows->finish().empty());
}

TEST_CASE("a row that is erased and made again with another spelling is a changed row whose key column differs") {
    Fixture fixture;
    fixture.add(0, user("Ann"));
    fixture.flush();
    fixture.add(1, make_change(ChangeKind::erase, "ann"));
    fixture.add(2, user("ANN"));
    const std::vector<TableFlush> flush = fixture.flush();
    REQUIRE(flush.size() == 1);
    CHECK(flush[0].erased.empty());
    CHECK(flush[0].created.empty());
    REQUIRE(flush[0].changed.size() == 1);
    CHECK(flush[0].changed_columns == std::vector<std::uint32_t>{users::kName, users::kMade, users::kId});
    CHECK(fixture.database.rows(0).at(0)[users::kName] == Value(std::string("ANN")));
}

TEST_CASE("events turned away by a guard are reported once each, in order, whenever it shows") {
    Fixture fixture;
    fixture.add(0, user("ann", {{users::kUpdated, CellOperation::set, number(50)}}));
    fixture.add(1, user("bob", {{users::kUpdated, CellOperation::set, number(50)}}));
    fixture.flush();
    const Change ann = guarded(make_change(ChangeKind::update, "ann"), users::kUpdated, 49);
    const Change bob = guarded(make_change(ChangeKind::update, "bob"), users::kUpdated, 49);
    const Change both[] = {ann, bob, ann};
    fixture.add(2, bob);
    fixture.rows->add(5, make_origin(5, 5), both);
    fixture.rows->read(0, {std::string("ann")});
    fixture.add(7, ann);
    fixture.add(8, guarded(ann, users::kUpdated, 50));
    CHECK(fixture.rows->finish().empty());
    CHECK(fixture.rows->stale() == std::vector<std::size_t>{2, 5, 7});
}

TEST_CASE("the failure is that of the first event in order, not of the first that was evaluated") {
    Fixture fixture;
    fixture.add(0, vote("cats", CellOperation::set, kMost));
    fixture.add(0, vote("dogs", CellOperation::set, kMost));
    fixture.flush();
    fixture.add(3, vote("dogs", CellOperation::add, 1, ChangeKind::update));
    fixture.add(4, vote("cats", CellOperation::add, 1, ChangeKind::update));
    fixture.add(5, vote("eels", CellOperation::add, 1));
    CHECK_FALSE(fixture.rows->failure());
    CHECK(fixture.rows->read(1, {std::string("cats")}) == Row{std::string("cats"), number(kMost)});
    REQUIRE(fixture.rows->failure());
    CHECK(fixture.rows->failure()->event == 4);
    CHECK(fixture.rows->finish().empty());
    CHECK(fixture.rows->failure()->event == 3);
    CHECK_THAT(fixture.rows->failure()->reason, Contains("table votes: column count"));
}

TEST_CASE("a fetch that fails leaves the batch to be thrown away, and nothing half done behind") {
    const Schema schema = small_schema();
    bool broken = true;
    BatchRows rows(schema, [&](std::uint32_t, std::span<const Key> keys) {
        if (broken) {
            throw std::runtime_error("the store is gone");
        }
        return std::vector<std::optional<Row>>(keys.size());
    });
    CHECK_THROWS_WITH(rows.read(1, {std::string("cats")}), "the store is gone");
    CHECK_THROWS_WITH(rows.prefetch(1, {{std::string("dogs")}}), "the store is gone");
    CHECK(rows.finish().empty());
    broken = false;
    CHECK_FALSE(rows.read(1, {std::string("cats")}));
}

TEST_CASE("tables come after those they refer to, and a circle of references still comes out whole") {
    Schema schema;
    for (const char *name : {"a", "b", "c", "d"}) {
        Table table;
        table.name = name;
        table.columns = {make_column("id", Type::text, false), make_column("other", Type::text, true)};
        table.primary_key = {0};
        schema.tables.push_back(table);
    }
    const auto order = [&] {
        BatchRows rows(schema, [](std::uint32_t, std::span<const Key>) -> std::vector<std::optional<Row>> {
            throw std::logic_error("no fetch is needed");
        });
        std::vector<Change> changes;
        for (std::uint32_t table = 0; table < 4; ++table) {
            changes.push_back(make_change(ChangeKind::upsert, "x", {}, table));
        }
        rows.add(0, make_origin(0, 0), changes);
        std::string names;
        for (const TableFlush &flush : rows.finish()) {
            names += schema.tables[flush.table].name;
        }
        return names;
    };
    CHECK(order() == "abcd");
    schema.tables[0].references = {{{1}, 2, {0}}};
    schema.tables[2].references = {{{1}, 3, {0}}, {{1}, 2, {0}}};
    CHECK(order() == "dcab");
    schema.tables[3].references = {{{1}, 0, {0}}};
    CHECK(order() == "dcab");
}
