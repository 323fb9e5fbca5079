// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"

#include <catch2/catch.hpp>

namespace weir::test {

using namespace store;

namespace {

void record(Session &session, std::uint64_t number) {
    const std::vector<LedgerEntry> entry = {{id_of(number), 1, Outcome::applied}};
    session.record(entry);
}

bool has(Session &session, std::uint64_t number) { return session.decided(std::vector{id_of(number)}).size() == 1; }

} // namespace

std::vector<Promise> transaction_promises() {
    return {
        {"savepoints nest: going back to one undoes what came after it and leaves it open",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             session->begin({});
             record(*session, 1);
             session->savepoint(1);
             record(*session, 2);
             session->savepoint(2);
             record(*session, 3);
             session->rollback_to(2);
             CHECK_FALSE(has(*session, 3));
             CHECK(has(*session, 2));
             record(*session, 4);
             session->release(2);
             session->rollback_to(1);
             CHECK_FALSE(has(*session, 2));
             CHECK_FALSE(has(*session, 4));
             record(*session, 5);
             session->release(1);
             session->commit();
             CHECK(has(*session, 1));
             CHECK(has(*session, 5));
             CHECK(session->ledger_counts().applied == 2);
         }},
        {"a hundred savepoints deep is no trouble",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             session->begin({});
             for (int depth = 1; depth <= 100; ++depth) {
                 session->savepoint(depth);
                 record(*session, static_cast<std::uint64_t>(depth));
             }
             session->rollback_to(50);
             session->release(1);
             session->commit();
             CHECK(session->ledger_counts().applied == 49);
         }},
        {"a transaction that is rolled back leaves nothing, and the session goes on",
         [](StorePlace &place) {
             auto store = place.open();
             auto session = contract_domain(*store)->open();
             session->begin({});
             record(*session, 1);
             session->rollback();
             session->rollback(); // none is there: nothing happens
             CHECK_FALSE(has(*session, 1));
             transact(*session, [&] { record(*session, 2); });
             CHECK(has(*session, 2));
         }},
        {"what isn't committed is seen by nobody else",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             auto writer = domain->open();
             auto reader = domain->open();
             writer->begin({});
             record(*writer, 1);
             CHECK_FALSE(has(*reader, 1));
             writer->commit();
             CHECK(has(*reader, 1));
         }},
        {"what only reads sees one state throughout, waits for nobody, and writes nothing",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             auto writer = domain->open();
             auto reader = domain->open();
             const auto ada = [&](Session &session) {
                 Session::Scan one;
                 one.table = people::kTable;
                 one.from = one.to = {std::string("ada")};
                 const std::vector<Row> rows = session.scan(one);
                 return rows.empty() ? std::int64_t{0} : std::get<std::int64_t>(rows.front()[people::kAge]);
             };
             const auto save = [&](std::uint64_t number, std::int64_t age) {
                 TableFlush flush = created(people::kTable, {person("ada", {}, age)});
                 if (age > 1) {
                     flush.changed.swap(flush.created);
                     flush.changed_columns = {people::kAge};
                 }
                 transact(*writer, [&] {
                     writer->flush(std::span(&flush, 1));
                     record(*writer, number);
                 });
             };
             save(1, 1);
             reader->begin_reading();
             CHECK(ada(*reader) == 1);
             save(2, 2);
             CHECK(ada(*reader) == 1);
             CHECK_FALSE(has(*reader, 2));
             CHECK(reader->count_rows(people::kTable) == 1);
             reader->rollback();
             CHECK(ada(*reader) == 2);

             writer->begin({}); // holds its locks
             TableFlush flush = created(people::kTable, {person("eve", {}, 9)});
             writer->flush(std::span(&flush, 1));
             reader->begin_reading();
             CHECK(ada(*reader) == 2);
             CHECK_THROWS_AS(reader->flush(std::span(&flush, 1)), Unavailable);
             reader->rollback();
             writer->rollback();
             transact(*reader, [&] { reader->flush(std::span(&flush, 1)); }); // and writes again afterwards
             CHECK(writer->count_rows(people::kTable) == 2);
         }},
        {"a session that goes in the middle of a transaction leaves nothing",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             {
                 auto session = domain->open();
                 session->begin({});
                 record(*session, 1);
             }
             auto session = domain->open();
             CHECK_FALSE(has(*session, 1));
             transact(*session, [&] { record(*session, 1); });
         }},
        {"two sessions that write take turns",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             auto a = domain->open();
             auto b = domain->open();
             for (std::uint64_t i = 0; i < 50; ++i) {
                 transact(*a, [&] { record(*a, 2 * i); });
                 transact(*b, [&] { record(*b, 2 * i + 1); });
             }
             CHECK(a->ledger_counts().applied == 100);
         }},
        {"domains of one store know nothing of each other",
         [](StorePlace &place) {
             auto store = place.open();
             auto one = store->domain("one");
             auto two = store->domain("two");
             one->migrate(contract_schema());
             two->migrate(contract_schema());
             auto first = one->open();
             auto second = two->open();
             transact(*first, [&] { record(*first, 1); });
             CHECK_FALSE(has(*second, 1));
             transact(*second, [&] { record(*second, 1); }); // at the same time, without waiting for each other
             first->begin({});
             second->begin({});
             record(*first, 2);
             record(*second, 2);
             second->commit();
             first->commit();
             CHECK(first->ledger_counts().applied == 2);
         }},
        {"a schema that isn't there is known not to be",
         [](StorePlace &place) {
             auto store = place.open();
             CHECK_FALSE(store->has_domain("contract"));
             auto domain = contract_domain(*store);
             CHECK(store->has_domain("contract"));
             CHECK_FALSE(store->has_domain("contracts"));
             CHECK_THROWS_AS(store->domain("contracts")->open(), Unavailable); // and opening it makes none
             CHECK_FALSE(store->has_domain("contracts"));
             CHECK_FALSE(store->guarantee().empty());
         }},
    };
}

} // namespace weir::test
