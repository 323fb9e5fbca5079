// SPDX-License-Identifier: Apache-2.0
#include "contract_refused_rows.hpp"
#include "contract_schema.hpp"

#include <catch2/catch.hpp>

#include <limits>

namespace weir::test {

using namespace store;

namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

/// A session on the contract's schema with a few people in it.
struct Opened {
    explicit Opened(StorePlace &place) : store(place.open()), domain(contract_domain(*store)), session(domain->open()) {
        write(
            {created(people::kTable, {person("ada", "Ada@x.org", 30), person("bob", "bob@x.org", 40, "ada"), person("cid", Value(), 50)})});
    }
    void write(const std::vector<TableFlush> &flush) {
        transact(*session, [&] { session->flush(flush); });
    }
    /// Expects a refusal inside a savepoint, and the transaction to be of use afterwards.
    std::string refused(const std::vector<TableFlush> &flush) {
        session->begin({});
        session->savepoint(1);
        std::string message;
        try {
            session->flush(flush);
        } catch (const DataRefused &error) {
            message = error.what();
        }
        session->rollback_to(1);
        const std::vector<TableFlush> harmless = {created(people::kTable, {person("zoe", Value(), 1)})};
        session->flush(harmless);
        session->commit();
        CHECK(row("zoe"));
        CHECK_FALSE(message.empty());
        return message;
    }
    std::optional<Row> row(const std::string &name) {
        const std::vector<Key> keys = {{name}};
        return session->fetch(people::kTable, keys).front();
    }

    std::unique_ptr<Store> store;
    std::unique_ptr<DomainStore> domain;
    std::unique_ptr<Session> session;
};

TableFlush changed(std::vector<std::uint32_t> columns, std::vector<Row> rows) {
    TableFlush flush;
    flush.table = people::kTable;
    flush.changed_columns = std::move(columns);
    flush.changed = std::move(rows);
    return flush;
}

TableFlush erased(std::uint32_t table, std::vector<Key> keys) {
    TableFlush flush;
    flush.table = table;
    flush.erased = std::move(keys);
    return flush;
}

TableFlush blind_integers(ChangeKind kind, CellOperation operation, std::vector<std::pair<std::int64_t, Value>> rows,
                          std::uint32_t column = all_types::kInteger) {
    BlindWrite write;
    write.shape = {kind, {all_types::kId, all_types::kPart, column}, {CellOperation::set, CellOperation::set, operation}};
    for (auto &[part, value] : rows) {
        write.rows.push_back({std::string("n"), part, value});
    }
    TableFlush flush;
    flush.table = all_types::kTable;
    flush.blind.push_back(std::move(write));
    return flush;
}

Value cell(Session &session, std::int64_t part, std::uint32_t column = all_types::kInteger) {
    const std::vector<Key> keys = {{std::string("n"), part}};
    const auto row = session.fetch(all_types::kTable, keys).front();
    REQUIRE(row);
    return (*row)[column];
}

std::vector<Promise> refusals() {
    return {
        {"a unique value that another row has is refused, without regard to case, naming the column and no value",
         [](StorePlace &place) {
             Opened on(place);
             const std::string message = on.refused({created(people::kTable, {person("eve", "ADA@X.ORG", 20)})});
             CHECK(message.find("email") != std::string::npos);
             CHECK(message.find("ADA@X.ORG") == std::string::npos);
             CHECK_FALSE(on.row("eve"));
             on.write({created(people::kTable, {person("fay", Value(), 1), person("gus", Value(), 1)})}); // null agrees with nothing
             CHECK(on.row("gus"));
         }},
        {"a reference to a row that isn't there is refused",
         [](StorePlace &place) {
             Opened on(place);
             on.refused({created(pets::kTable, {{std::string("rex"), std::string("nobody")}})});
             CHECK(on.session->count_rows(pets::kTable) == 0);
         }},
        {"erasing a row that is referred to is refused",
         [](StorePlace &place) {
             Opened on(place);
             on.refused({erased(people::kTable, {{std::string("ada")}})});
             CHECK(on.row("ada"));
         }},
        {"a null where none may be is refused, naming the column",
         [](StorePlace &place) {
             Opened on(place);
             Row row = person("eve", Value(), 1);
             row[people::kAge] = Value();
             CHECK(on.refused({created(people::kTable, {row})}).find("age") != std::string::npos);
         }},
        {"a blind sum that leaves the range of its type is refused at either end",
         [](StorePlace &place) {
             Opened on(place);
             on.write({blind_integers(ChangeKind::upsert, CellOperation::add, {{1, kMost}, {2, kLeast}})});
             on.refused({blind_integers(ChangeKind::upsert, CellOperation::add, {{1, std::int64_t{1}}})});
             CHECK(cell(*on.session, 1) == Value(kMost));
             on.session->begin({});
             const std::vector<TableFlush> under = {blind_integers(ChangeKind::upsert, CellOperation::add, {{2, std::int64_t{-1}}})};
             CHECK_THROWS_AS(on.session->flush(under), DataRefused);
             on.session->rollback();
             CHECK(cell(*on.session, 2) == Value(kLeast));
         }},
        {"a blind sum of decimals that leaves their precision is refused",
         [](StorePlace &place) {
             Opened on(place);
             const std::int64_t nines = 999'999'999'999'999'999;
             on.write({blind_integers(ChangeKind::upsert, CellOperation::add, {{1, nines}}, all_types::kDecimal)});
             on.refused({blind_integers(ChangeKind::upsert, CellOperation::add, {{1, std::int64_t{1}}}, all_types::kDecimal)});
             CHECK(cell(*on.session, 1, all_types::kDecimal) == Value(nines));
         }},
        {"a created row that exists means to run the batch again",
         [](StorePlace &place) {
             Opened on(place);
             on.session->begin({});
             const std::vector<TableFlush> flush = {created(people::kTable, {person("ada", Value(), 1)})};
             CHECK_THROWS_AS(on.session->flush(flush), RunAgain);
             on.session->rollback();
             CHECK((*on.row("ada"))[people::kAge] == Value(std::int64_t{30}));
         }},
    };
}

std::vector<Promise> orders() {
    return {
        {"erased, changed and created rows of one flush are written in this order",
         [](StorePlace &place) {
             Opened on(place);
             TableFlush flush =
                 changed({people::kEmail, people::kAge, people::kBoss}, {person("bob", "ada@x.org", 41)}); // ada's address is free by then
             flush.erased = {{std::string("ada")}};
             flush.created = {person("dan", "BOB@x.org", 1)};
             on.write({flush});
             CHECK_FALSE(on.row("ada"));
             CHECK(on.row("bob") == person("bob", "ada@x.org", 41));
             CHECK(on.row("dan") == person("dan", "BOB@x.org", 1));
         }},
        {"only the changed columns are written",
         [](StorePlace &place) {
             Opened on(place);
             on.write({changed({people::kAge}, {person("ada", "other@x.org", 31)})});
             CHECK(on.row("ada") == person("ada", "Ada@x.org", 31));
         }},
        {"two changed rows may swap a unique value",
         [](StorePlace &place) {
             Opened on(place);
             on.write({changed({people::kEmail}, {person("ada", "bob@x.org", 30), person("bob", "ada@x.org", 40, "ada")})});
             CHECK(on.row("ada") == person("ada", "bob@x.org", 30));
             CHECK(on.row("bob") == person("bob", "ada@x.org", 40, "ada"));
         }},
        {"rows created together may refer to each other, whatever the order of their keys",
         [](StorePlace &place) {
             Opened on(place);
             on.write({created(people::kTable, {person("a1", Value(), 1, "z1"), person("z1", Value(), 1, "a1")}),
                       created(pets::kTable, {{std::string("rex"), std::string("z1")}})});
             CHECK(on.session->count_rows(pets::kTable) == 1);
         }},
        {"rows are erased from those that refer to those referred to",
         [](StorePlace &place) {
             Opened on(place);
             on.write({created(pets::kTable, {{std::string("rex"), std::string("cid")}})});
             on.write({erased(people::kTable, {{std::string("cid")}}), erased(pets::kTable, {{std::string("rex")}})});
             CHECK_FALSE(on.row("cid"));
             CHECK(on.session->count_rows(pets::kTable) == 0);
         }},
        {"a key is found whatever its case where its column is case-insensitive",
         [](StorePlace &place) {
             auto store = place.open();
             Schema schema;
             Table table;
             table.name = "tags";
             table.columns.resize(2);
             table.columns[0].name = "tag";
             table.columns[0].type = Type::citext;
             table.columns[1].name = "uses";
             table.columns[1].type = Type::int64;
             table.primary_key = {0};
             schema.tables = {table};
             auto domain = store->domain("tags");
             domain->migrate(schema);
             auto session = domain->open();
             transact(*session, [&] {
                 const std::vector<TableFlush> flush = {created(0, {{std::string("Red"), std::int64_t{1}}})};
                 session->flush(flush);
             });
             const std::vector<Key> keys = {{std::string("rEd")}};
             const auto row = session->fetch(0, keys).front();
             REQUIRE(row);
             CHECK((*row)[0] == Value(std::string("Red")));
         }},
    };
}

std::vector<Promise> blind_writes() {
    return {
        {"blind sums, greatest and least values are taken where the row is, and set where it isn't; null counts as absent",
         [](StorePlace &place) {
             Opened on(place);
             const auto write = [&](CellOperation operation, std::vector<std::pair<std::int64_t, Value>> rows) {
                 on.write({blind_integers(ChangeKind::upsert, operation, std::move(rows))});
             };
             write(CellOperation::set, {{1, std::int64_t{10}}, {2, Value()}});
             write(CellOperation::add, {{1, std::int64_t{-3}}, {2, std::int64_t{4}}, {3, std::int64_t{5}}});
             CHECK(cell(*on.session, 1) == Value(std::int64_t{7}));
             CHECK(cell(*on.session, 2) == Value(std::int64_t{4}));
             CHECK(cell(*on.session, 3) == Value(std::int64_t{5}));
             write(CellOperation::max, {{1, std::int64_t{6}}, {2, std::int64_t{9}}, {3, Value()}});
             CHECK(cell(*on.session, 1) == Value(std::int64_t{7}));
             CHECK(cell(*on.session, 2) == Value(std::int64_t{9}));
             CHECK(cell(*on.session, 3) == Value(std::int64_t{5}));
             write(CellOperation::min, {{1, std::int64_t{6}}, {2, std::int64_t{10}}});
             CHECK(cell(*on.session, 1) == Value(std::int64_t{6}));
             CHECK(cell(*on.session, 2) == Value(std::int64_t{9}));
             write(CellOperation::keep, {{1, std::int64_t{100}}, {9, std::int64_t{100}}});
             CHECK(cell(*on.session, 1) == Value(std::int64_t{6}));
             CHECK(cell(*on.session, 9) == Value(std::int64_t{100}));
             write(CellOperation::set, {{1, Value()}});
             CHECK(cell(*on.session, 1) == Value());
         }},
        {"the latest time wins by `max`, before the epoch as well",
         [](StorePlace &place) {
             Opened on(place);
             const auto write = [&](std::int64_t time) {
                 on.write({blind_integers(ChangeKind::upsert, CellOperation::max, {{1, time}}, all_types::kTime)});
             };
             write(-5'000'000);
             write(-9'000'000);
             CHECK(cell(*on.session, 1, all_types::kTime) == Value(std::int64_t{-5'000'000}));
             write(event::kLatest);
             write(0);
             CHECK(cell(*on.session, 1, all_types::kTime) == Value(event::kLatest));
         }},
        {"a blind insertion leaves a row that is there alone",
         [](StorePlace &place) {
             Opened on(place);
             on.write({blind_integers(ChangeKind::insert, CellOperation::set, {{1, std::int64_t{1}}})});
             on.write({blind_integers(ChangeKind::insert, CellOperation::set, {{1, std::int64_t{2}}, {2, std::int64_t{2}}})});
             CHECK(cell(*on.session, 1) == Value(std::int64_t{1}));
             CHECK(cell(*on.session, 2) == Value(std::int64_t{2}));
         }},
        {"thousands of rows go into one flush",
         [](StorePlace &place) {
             Opened on(place);
             std::vector<std::pair<std::int64_t, Value>> rows;
             for (std::int64_t i = 0; i < 5000; ++i) {
                 rows.emplace_back(i, Value(i));
             }
             on.write({blind_integers(ChangeKind::upsert, CellOperation::add, rows)});
             on.write({blind_integers(ChangeKind::upsert, CellOperation::add, rows)});
             CHECK(on.session->count_rows(all_types::kTable) == 5000);
             CHECK(cell(*on.session, 4999) == Value(std::int64_t{9998}));
         }},
    };
}

} // namespace

std::vector<Promise> flush_promises() {
    std::vector<Promise> all = refusals();
    for (auto &more : {orders(), blind_writes(), refused_row_promises()}) {
        all.insert(all.end(), more.begin(), more.end());
    }
    return all;
}

} // namespace weir::test
