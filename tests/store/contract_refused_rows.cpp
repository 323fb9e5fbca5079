// SPDX-License-Identifier: Apache-2.0
#include "contract_refused_rows.hpp"

#include "contract_schema.hpp"
#include "store/refused_row.hpp"

#include <catch2/catch.hpp>

#include <limits>

namespace weir::test {

using namespace store;

namespace {

struct Opened {
    explicit Opened(StorePlace &place) : store(place.open()), domain(contract_domain(*store)), session(domain->open()) {
        write({created(people::kTable, {person("ada", "ada@x.org", 30), person("bob", "bob@x.org", 40)})});
    }
    void write(const std::vector<TableFlush> &flush) {
        transact(*session, [&] { session->flush(flush); });
    }
    /// The row that a refused flush names; nothing where it names none. Its message never holds a value of `secret`.
    std::optional<RefusedRow> refused(const std::vector<TableFlush> &flush, const std::string &secret = "@") {
        std::optional<RefusedRow> row;
        session->begin({});
        try {
            session->flush(flush);
            FAIL_CHECK("nothing was refused");
        } catch (const DataRefused &error) {
            CHECK(std::string(error.what()).find(secret) == std::string::npos);
            if (const auto *of_row = dynamic_cast<const RowRefused *>(&error)) {
                row = of_row->row();
            }
        }
        session->rollback();
        return row;
    }

    bool has(const std::string &name) {
        const std::vector<Key> keys = {{name}};
        bool found = false;
        transact(*session, [&] { found = session->fetch(people::kTable, keys).front().has_value(); });
        return found;
    }

    std::unique_ptr<Store> store;
    std::unique_ptr<DomainStore> domain;
    std::unique_ptr<Session> session;
};

bool is_row(const std::optional<RefusedRow> &row, std::uint32_t table, const Key &key) {
    return row && row->table == table && row->key == key;
}

/// Many people whom nobody refuses, and in their middle another.
std::vector<Row> many_with(Row other) {
    std::vector<Row> rows;
    for (int i = 0; i < 40; ++i) {
        rows.push_back(person("m" + std::to_string(100 + i), "m" + std::to_string(i) + "@x.org", i));
    }
    rows.insert(rows.begin() + 23, std::move(other));
    return rows;
}

/// Rows of a table with a key of two columns and, in another, the number itself.
TableFlush numbered(std::int64_t first, std::int64_t last, std::int64_t odd_part, std::int64_t odd_value) {
    BlindWrite write;
    write.shape = {ChangeKind::upsert,
                   {all_types::kId, all_types::kPart, all_types::kInteger},
                   {CellOperation::set, CellOperation::set, CellOperation::set}};
    for (std::int64_t part = first; part < last; ++part) {
        write.rows.push_back({std::string("n"), part, part == odd_part ? odd_value : part});
    }
    TableFlush flush;
    flush.table = all_types::kTable;
    flush.blind.push_back(std::move(write));
    return flush;
}

/// Lets no one be older than 90. SQLite can't add a check to a table that is there, and PostgreSQL reads no trigger of SQLite's.
void forbid_age(StorePlace &place) {
    try {
        for (const std::string what : {"insert", "update"}) {
            place.as_another("contract", "create trigger no_age_" + what + " before " + what +
                                             " on people when new.age > 90 begin select raise(abort, 'no'); end");
        }
    } catch (const std::exception &) {
        place.as_another("contract", "alter table people add check (age <= 90)");
    }
}

} // namespace

std::vector<Promise> refused_row_promises() {
    return {
        {"the row whose unique value another row has is named, where it is created and where it is changed",
         [](StorePlace &place) {
             Opened on(place);
             CHECK(is_row(on.refused({created(people::kTable, many_with(person("odd", "ADA@x.org", 5)))}), people::kTable,
                          {std::string("odd")}));
             on.write({created(people::kTable, many_with(person("odd", Value(), 5)))});
             TableFlush changed;
             changed.table = people::kTable;
             changed.changed_columns = {people::kEmail, people::kAge};
             changed.changed = many_with(person("odd", "bob@x.org", 5));
             CHECK(is_row(on.refused({changed}), people::kTable, {std::string("odd")}));
         }},
        {"the row whose unique value another row has is named by all columns of its key",
         [](StorePlace &place) {
             Opened on(place);
             on.write({numbered(7, 8, 0, 0)});
             place.as_another("contract", "create unique index of_another on every_type (integer)");
             CHECK(is_row(on.refused({numbered(10, 60, 33, 7)}), all_types::kTable, {std::string("n"), std::int64_t{33}}));
         }},
        {"where two rows of a flush have the same unique value, one of the two is named, or none",
         [](StorePlace &place) {
             Opened on(place);
             std::vector<Row> rows = many_with(person("odd", "new@x.org", 5));
             rows.push_back(person("zoe", "new@x.org", 6));
             const auto row = on.refused({created(people::kTable, rows)});
             CHECK((!row || row->key == Key{std::string("odd")} || row->key == Key{std::string("zoe")}));
         }},
        {"the row with a null where none may be is named",
         [](StorePlace &place) {
             Opened on(place);
             Row row = person("odd", "odd@x.org", 1);
             row[people::kAge] = Value();
             CHECK(is_row(on.refused({created(people::kTable, many_with(row))}), people::kTable, {std::string("odd")}));
         }},
        {"the row that a check refuses is named, among others of other tables",
         [](StorePlace &place) {
             Opened on(place);
             forbid_age(place);
             const std::string name = "odd, or (not) 'so' " + std::string(100, 'x'); // more than PostgreSQL shows
             CHECK(is_row(on.refused({numbered(0, 50, 0, 0), created(people::kTable, many_with(person(name, "odd@x.org", 91)))}),
                          people::kTable, {name}));
         }},
        {"the row that refers to one that isn't there is named, and that to which another still refers",
         [](StorePlace &place) {
             Opened on(place);
             on.write({created(people::kTable, many_with(person("odd", Value(), 1)))});
             std::vector<Row> rows;
             for (int i = 0; i < 40; ++i) {
                 rows.push_back({"pet " + std::to_string(100 + i), i == 17 ? std::string("nobody") : "m" + std::to_string(100 + i)});
             }
             CHECK(is_row(on.refused({created(pets::kTable, rows)}, "nobody"), pets::kTable, {std::string("pet 117")}));
             on.write({created(pets::kTable, {{std::string("rex"), std::string("odd")}})});
             TableFlush erased;
             erased.table = people::kTable;
             erased.erased = {{std::string("ada")}, {std::string("bob")}, {std::string("m101")}, {std::string("odd")}};
             CHECK(is_row(on.refused({erased}, "odd"), people::kTable, {std::string("odd")}));
         }},
        {"of two flushes at once the second leaves nothing where it is refused, and the first and what comes behind them stay",
         [](StorePlace &place) {
             Opened on(place);
             const std::vector<TableFlush> first = {created(people::kTable, many_with(person("eve", "eve@x.org", 5)))};
             const std::vector<TableFlush> second = {
                 created(people::kTable, {person("odd", "odd@x.org", 1), person("zoe", "ADA@x.org", 6)})};
             on.session->begin({});
             on.session->savepoint(1);
             const auto refusal = on.session->flush_both(first, second, 2);
             REQUIRE(refusal);
             CHECK(std::string(refusal->what()).find("@") == std::string::npos);
             on.session->release(1);
             on.session->flush(std::vector<TableFlush>{created(people::kTable, {person("fay", "odd@x.org", 1)})});
             on.session->commit();
             CHECK(on.has("eve"));
             CHECK(on.has("fay"));
             CHECK_FALSE(on.has("odd"));
             CHECK_FALSE(on.has("zoe"));
         }},
        {"two flushes at once are both there where neither is refused, the second upon the first, and both go where they are rolled back",
         [](StorePlace &place) {
             Opened on(place);
             const std::vector<TableFlush> first = {created(people::kTable, {person("eve", "eve@x.org", 5)})};
             const std::vector<TableFlush> second = {created(pets::kTable, {{std::string("rex"), std::string("eve")}})};
             for (const bool kept : {false, true}) {
                 on.session->begin({});
                 on.session->savepoint(1);
                 CHECK_FALSE(on.session->flush_both(first, second, 2));
                 if (!kept) {
                     on.session->rollback_to(1);
                 }
                 on.session->release(1);
                 on.session->commit();
                 CHECK(on.has("eve") == kept);
                 CHECK(on.session->count_rows(pets::kTable) == (kept ? 1 : 0));
             }
         }},
        {"of two flushes at once the first is refused as one alone is, with its row",
         [](StorePlace &place) {
             Opened on(place);
             const std::vector<TableFlush> first = {created(people::kTable, many_with(person("odd", "ADA@x.org", 5)))};
             const std::vector<TableFlush> second = {created(people::kTable, {person("zoe", "zoe@x.org", 6)})};
             std::optional<RefusedRow> row;
             on.session->begin({});
             on.session->savepoint(1);
             try {
                 on.session->flush_both(first, second, 2);
                 FAIL_CHECK("nothing was refused");
             } catch (const RowRefused &refused) {
                 row = refused.row();
             }
             on.session->rollback_to(1);
             on.session->flush(second);
             on.session->commit();
             CHECK(is_row(row, people::kTable, {std::string("odd")}));
             CHECK(on.has("zoe"));
             CHECK_FALSE(on.has("m100"));
         }},
        {"that somebody has made a row of the first of two flushes is seen, also where the second is refused",
         [](StorePlace &place) {
             Opened on(place);
             const std::vector<TableFlush> first = {created(people::kTable, {person("bob", "bobby@x.org", 5)})};
             for (const char *email : {"ADA@x.org", "zoe@x.org"}) {
                 on.session->begin({});
                 CHECK_THROWS_AS(
                     on.session->flush_both(first, std::vector<TableFlush>{created(people::kTable, {person("zoe", email, 6)})}, 2),
                     RunAgain);
                 on.session->rollback();
             }
             CHECK_FALSE(on.has("zoe"));
         }},
        {"around a part that is refused, what stands before and behind it stays, and nothing of it",
         [](StorePlace &place) {
             Opened on(place);
             const std::vector<TableFlush> first = {created(people::kTable, {person("eve", "eve@x.org", 5)})};
             const std::vector<TableFlush> doubtful = {
                 created(people::kTable, {person("odd", "odd@x.org", 1), person("zoe", "ADA@x.org", 6)}),
                 created(pets::kTable, {{std::string("tom"), std::string("odd")}})}; // never come to: not even prepared
             const std::vector<TableFlush> last = {created(people::kTable, {person("fay", "odd@x.org", 1)}),
                                                   created(pets::kTable, {{std::string("rex"), std::string("eve")}})};
             on.session->begin({});
             on.session->fetch(people::kTable, std::vector<Key>{{std::string("eve")}}); // something has to be done by then
             on.session->savepoint(1);
             const FlushedAround done = on.session->flush_around(first, doubtful, last, 2);
             REQUIRE(done.doubtful);
             CHECK(std::string(done.doubtful->what()).find("@") == std::string::npos);
             CHECK_FALSE(done.last);
             on.session->release(1);
             on.session->commit();
             CHECK(on.has("eve"));
             CHECK(on.has("fay"));
             CHECK_FALSE(on.has("odd"));
             CHECK_FALSE(on.has("zoe"));
             CHECK(on.session->count_rows(pets::kTable) == 1);
         }},
        {"around a part that is refused, what stands behind it may be refused as well, with its row, and what stands before it stays",
         [](StorePlace &place) {
             Opened on(place);
             const std::vector<TableFlush> first = {created(people::kTable, {person("eve", "eve@x.org", 5)})};
             const std::vector<TableFlush> doubtful = {created(people::kTable, {person("zoe", "ADA@x.org", 6)})};
             on.session->begin({});
             on.session->fetch(people::kTable, std::vector<Key>{{std::string("eve")}});
             on.session->savepoint(1);
             const FlushedAround done = on.session->flush_around(
                 first, doubtful, std::vector<TableFlush>{created(people::kTable, many_with(person("odd", "EVE@x.org", 5)))}, 2);
             REQUIRE(done.doubtful);
             REQUIRE(done.last);
             CHECK(std::string(done.last->what()).find("@") == std::string::npos);
             CHECK(is_row(done.last_row, people::kTable, {std::string("odd")}));
             on.session->flush(std::vector<TableFlush>{created(people::kTable, {person("fay", "fay@x.org", 1)})});
             on.session->release(1);
             on.session->commit();
             CHECK(on.has("eve"));
             CHECK(on.has("fay"));
             CHECK_FALSE(on.has("zoe"));
             CHECK_FALSE(on.has("odd"));
             CHECK_FALSE(on.has("m100"));
         }},
        {"a part that is taken where it should be refused is told, and all goes where it is rolled back",
         [](StorePlace &place) {
             Opened on(place);
             for (const char *email : {"fay@x.org", "zoe@x.org"}) { // what stands behind it may be refused because of it, or not
                 on.session->begin({});
                 on.session->fetch(people::kTable, std::vector<Key>{{std::string("eve")}});
                 on.session->savepoint(1);
                 const FlushedAround done =
                     on.session->flush_around(std::vector<TableFlush>{created(people::kTable, {person("eve", "eve@x.org", 5)})},
                                              std::vector<TableFlush>{created(people::kTable, {person("zoe", "zoe@x.org", 6)})},
                                              std::vector<TableFlush>{created(people::kTable, {person("fay", email, 1)})}, 2);
                 CHECK_FALSE(done.doubtful);
                 on.session->rollback_to(1);
                 on.session->release(1);
                 on.session->flush(std::vector<TableFlush>{created(people::kTable, {person(std::string("only ") + email, email, 1)})});
                 on.session->commit();
                 CHECK(on.has(std::string("only ") + email));
                 CHECK_FALSE(on.has("eve"));
                 CHECK_FALSE(on.has("zoe"));
                 CHECK_FALSE(on.has("fay"));
             }
         }},
        {"before a part that is to be refused, another is refused as one alone is",
         [](StorePlace &place) {
             Opened on(place);
             const std::vector<TableFlush> ours = {created(people::kTable, {person("zoe", "zoe@x.org", 6)})};
             std::optional<RefusedRow> row;
             on.session->begin({});
             on.session->fetch(people::kTable, std::vector<Key>{{std::string("eve")}});
             on.session->savepoint(1);
             try {
                 on.session->flush_around(std::vector<TableFlush>{created(people::kTable, many_with(person("odd", "ADA@x.org", 5)))}, ours,
                                          std::vector<TableFlush>{created(people::kTable, {person("fay", "fay@x.org", 1)})}, 2);
                 FAIL_CHECK("nothing was refused");
             } catch (const RowRefused &refused) {
                 row = refused.row();
             }
             on.session->rollback_to(1);
             on.session->flush(ours);
             on.session->commit();
             CHECK(is_row(row, people::kTable, {std::string("odd")}));
             CHECK(on.has("zoe"));
             CHECK_FALSE(on.has("fay"));
             CHECK_FALSE(on.has("m100"));
         }},
        {"that somebody has made a row before or behind a part that is refused is seen",
         [](StorePlace &place) {
             Opened on(place);
             const std::vector<TableFlush> theirs = {created(people::kTable, {person("bob", "bobby@x.org", 5)})};
             const std::vector<TableFlush> ours = {created(people::kTable, {person("eve", "eve@x.org", 5)})};
             const std::vector<TableFlush> doubtful = {created(people::kTable, {person("zoe", "ADA@x.org", 6)})};
             for (const bool is_first : {true, false}) {
                 on.session->begin({});
                 on.session->fetch(people::kTable, std::vector<Key>{{std::string("eve")}});
                 CHECK_THROWS_AS(on.session->flush_around(is_first ? theirs : ours, doubtful, is_first ? ours : theirs, 2), RunAgain);
                 on.session->rollback();
             }
             CHECK_FALSE(on.has("eve"));
         }},
        {"a sum that leaves the range of its type names no row but its own",
         [](StorePlace &place) {
             Opened on(place);
             on.write({numbered(0, 20, 11, std::numeric_limits<std::int64_t>::max())});
             TableFlush sums = numbered(0, 20, 0, 1);
             sums.blind.front().shape.operations.back() = CellOperation::add;
             const auto row = on.refused({sums});
             CHECK((!row || row->key == Key{std::string("n"), std::int64_t{11}}));
         }},
    };
}

} // namespace weir::test
