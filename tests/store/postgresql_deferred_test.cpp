// SPDX-License-Identifier: Apache-2.0
// Two flushes in one trip, on tables to which an operator has added what the server looks at when a transaction ends.
#include "contract_schema.hpp"
#include "postgresql_places.hpp"
#include "store/refused_row.hpp"

using namespace weir;
using namespace weir::store;
using namespace weir::test;

namespace {

Column column(const std::string &name, Type type, bool nullable) {
    Column made;
    made.name = name;
    made.type = type;
    made.nullable = nullable;
    return made;
}

Row item(const std::string &id, std::int64_t count, const Value &mark = {}) { return {id, count, mark}; }

TableFlush erasing(const std::string &id) {
    TableFlush flush;
    flush.erased = {{id}};
    return flush;
}

TableFlush counting(Row row) {
    TableFlush flush;
    flush.changed_columns = {1};
    flush.changed = {std::move(row)};
    return flush;
}

/// Adds to the counts of these, or makes them.
TableFlush adding(std::vector<Row> rows) {
    BlindWrite write;
    write.shape = {ChangeKind::upsert, {0, 1}, {CellOperation::set, CellOperation::add}};
    for (Row &row : rows) {
        write.rows.push_back({row[0], row[1]});
    }
    TableFlush flush;
    flush.blind.push_back(std::move(write));
    return flush;
}

/// Of deferred constraints: one for marks, one for each row, one for rows that refer to others, and one for rows that others refer to.
struct Items {
    PostgresPlace place;
    std::unique_ptr<Store> store = place.open();
    std::unique_ptr<DomainStore> domain;
    std::unique_ptr<Session> session;

    Items() {
        Table table;
        table.name = "items";
        table.columns = {column("id", Type::text, false), column("count", Type::int64, false), column("mark", Type::text, true)};
        table.primary_key = {0};
        Schema schema;
        schema.tables = {table};
        domain = store->domain("items");
        domain->migrate(schema);
        place.query("alter table items.items add constraint one_each unique (mark) deferrable initially deferred");
        place.query("create function items.refuse() returns trigger language plpgsql as $$ begin if new.count > 90 then "
                    "raise exception using errcode = '23514', message = 'too many'; end if; return new; end $$; "
                    "create constraint trigger refuse after insert or update on items.items deferrable initially deferred "
                    "for each row execute function items.refuse()");
        place.query("create schema other; create table other.allowed (mark text primary key); "
                    "insert into other.allowed values ('gold'), ('silver'), ('tin'); "
                    "alter table items.items add foreign key (mark) references other.allowed deferrable initially deferred; "
                    "create table other.audit (item text references items.items deferrable initially deferred)");
        session = domain->open();
        transact(*session, [&] { session->flush(std::vector{created(0, {item("kept", 1, std::string("gold")), item("free", 2)})}); });
        place.query("insert into other.audit values ('kept')");
    }

    std::string rows() const {
        return place.one("select string_agg(id || ' ' || count || coalesce(' ' || mark, ''), ', ' order by id) from items.items");
    }
};

/// What a deferred constraint refuses alone, upon the rows that are there at first.
std::vector<TableFlush> refused_kinds() {
    return {created(0, {item("new", 5), item("dear", 91)}),
            created(0, {item("new", 5), item("twin", 1, std::string("gold"))}),
            created(0, {item("new", 5), item("odd", 1, std::string("lead"))}),
            erasing("kept"),
            counting(item("free", 91)),
            adding({item("new", 3), item("free", 89)})};
}

} // namespace

TEST_CASE("of two flushes in one trip the second leaves nothing where only a deferred constraint refuses it, and the first and what "
          "follows stay") {
    const std::size_t kind = GENERATE(range(std::size_t{0}, std::size_t{6}));
    const bool is_later = GENERATE(false, true); // what the transaction flushed before has had all constraints looked at
    CAPTURE(kind, is_later);
    Items on;
    on.session->begin({});
    if (is_later) {
        on.session->flush(std::vector{adding({item("before", 1)})});
    }
    on.session->savepoint(1);
    const auto refusal =
        on.session->flush_both(std::vector{adding({item("first", 7), item("free", 1)})}, std::vector{refused_kinds()[kind]}, 2);
    REQUIRE(refusal);
    CHECK(std::string(refusal->what()).find("lead") == std::string::npos);
    on.session->release(1);
    // Looked at once more: refused again, and taken where nothing is wrong with it, with keys and marks that the refused part wanted.
    on.session->savepoint(1);
    const auto again = on.session->flush_both(std::vector{created(0, {item("new", 8), item("twin", 9, std::string("tin"))})},
                                              std::vector{counting(item("first", 91))}, 2);
    CHECK(again);
    on.session->release(1);
    on.session->flush(std::vector{adding({item("free", 10)})});
    on.session->commit();
    CHECK(on.rows() == std::string(is_later ? "before 1, " : "") + "first 7, free 13, kept 1 gold, new 8, twin 9 tin");
}

TEST_CASE(
    "of two flushes in one trip the first is refused as one alone is where only a deferred constraint does so, and the second follows") {
    const std::size_t kind = GENERATE(range(std::size_t{0}, std::size_t{6}));
    const bool is_later = GENERATE(false, true);
    CAPTURE(kind, is_later);
    Items on;
    on.session->begin({});
    if (is_later) {
        on.session->flush(std::vector{adding({item("before", 1)})});
    }
    on.session->savepoint(1);
    const std::vector<TableFlush> second = {adding({item("second", 7), item("free", 1)})};
    CHECK_THROWS_AS(on.session->flush_both(std::vector{refused_kinds()[kind]}, second, 2), DataRefused);
    on.session->rollback_to(1);
    on.session->savepoint(2);
    on.session->flush(second);
    on.session->release(2);
    on.session->release(1);
    on.session->commit();
    CHECK(on.rows() == std::string(is_later ? "before 1, " : "") + "free 3, kept 1 gold, second 7");
}

TEST_CASE("around a part that only a deferred constraint refuses nothing of it stays, and what is refused behind it leaves the rest") {
    const std::size_t kind = GENERATE(range(std::size_t{0}, std::size_t{6}));
    const bool is_refused = GENERATE(false, true);
    CAPTURE(kind, is_refused);
    Items on;
    on.session->begin({});
    on.session->flush(std::vector{adding({item("before", 1)})});
    on.session->savepoint(1);
    const FlushedAround done =
        on.session->flush_around(std::vector{adding({item("first", 7), item("free", 1)})}, std::vector{refused_kinds()[kind]},
                                 std::vector{created(0, {item("new", is_refused ? 91 : 8)}), adding({item("free", 10)})}, 2);
    CHECK(done.doubtful);
    CHECK(done.last.has_value() == is_refused);
    on.session->release(1);
    on.session->commit();
    CHECK(on.rows() == (is_refused ? "before 1, first 7, free 3, kept 1 gold" : "before 1, first 7, free 13, kept 1 gold, new 8"));
}

TEST_CASE("two flushes in one trip are looked at one after the other by what is deferred, as two transactions would be") {
    Items on;
    on.session->begin({});
    on.session->savepoint(1);
    SECTION("the first needs what only the second does, and is refused") {
        const std::vector<TableFlush> taking = {created(0, {item("heir", 1, std::string("gold"))})};
        TableFlush giving;
        giving.changed_columns = {2};
        giving.changed = {item("kept", 1)};
        CHECK_THROWS_AS(on.session->flush_both(taking, std::vector{giving}, 2), DataRefused);
        on.session->rollback_to(1);
        CHECK_FALSE(on.session->flush_both(std::vector{giving}, taking, 2)); // in this order both are fine
        on.session->release(1);
        on.session->commit();
        CHECK(on.rows() == "free 2, heir 1 gold, kept 1");
    }
    SECTION("the second is refused for what the first has done") {
        const auto refusal = on.session->flush_both(std::vector{created(0, {item("one", 1, std::string("tin"))})},
                                                    std::vector{created(0, {item("two", 1, std::string("tin"))})}, 2);
        CHECK(refusal);
        on.session->release(1);
        on.session->commit();
        CHECK(on.rows() == "free 2, kept 1 gold, one 1 tin");
    }
    SECTION("rows of the first that somebody has made meanwhile are seen, though the second is refused") {
        const std::vector<TableFlush> first = {created(0, {item("free", 5)})};
        CHECK_THROWS_AS(on.session->flush_both(first, std::vector{created(0, {item("dear", 91)})}, 2), RunAgain);
        on.session->rollback();
        CHECK(on.rows() == "free 2, kept 1 gold");
    }
}

TEST_CASE("rows of each of two flushes may need each other where that is looked at last, whatever was refused before") {
    Items on;
    on.place.query(
        "create table items.pairs (id text primary key, other text not null references items.pairs deferrable initially deferred); "
        "grant insert on items.pairs to public; create function items.pair() returns trigger language plpgsql as $$ begin "
        "insert into items.pairs values (new.id, new.id || '+'); insert into items.pairs values (new.id || '+', new.id); "
        "return new; end $$; create trigger pair after insert on items.items for each row execute function items.pair()");
    for (const std::string round : {"a", "b"}) {
        on.session->begin({});
        on.session->savepoint(1);
        CHECK(on.session->flush_both(std::vector{created(0, {item(round + "1", 1)})}, std::vector{created(0, {item(round + "2", 91)})}, 2));
        CHECK_FALSE(
            on.session->flush_both(std::vector{created(0, {item(round + "3", 3)})}, std::vector{created(0, {item(round + "2", 2)})}, 2));
        on.session->release(1);
        on.session->commit();
    }
    CHECK(on.rows() == "a1 1, a2 2, a3 3, b1 1, b2 2, b3 3, free 2, kept 1 gold");
    CHECK(on.place.one("select count(*) from items.pairs") == "12");
}
