// SPDX-License-Identifier: Apache-2.0
// What the server's refusals mean, said by the real server: a trigger raises what triggers, checked views and procedures raise.
#include "contract_schema.hpp"
#include "postgresql_places.hpp"

using namespace weir;
using namespace weir::store;
using namespace weir::test;

namespace {

enum class Meant { data, schema, again };

Meant meaning_of(Session &session, const std::vector<TableFlush> &flush, const std::string &state) {
    std::string said;
    Meant meant{};
    session.begin({});
    session.savepoint(1);
    try {
        session.flush(flush);
        FAIL("nothing was refused");
    } catch (const DataRefused &failure) {
        meant = Meant::data;
        said = failure.what();
        session.rollback_to(1); // and the transaction goes on
        session.record(std::vector{LedgerEntry{id_of(1), 1, Outcome::dead}});
    } catch (const SchemaWrong &failure) {
        meant = Meant::schema;
        said = failure.what();
    } catch (const RunAgain &failure) {
        meant = Meant::again;
        said = failure.what();
    } catch (const std::exception &failure) {
        FAIL("another error: " << failure.what());
    }
    session.rollback();
    CHECK(said.find(state) != std::string::npos);
    return meant;
}

} // namespace

TEST_CASE("what a trigger refuses of a row is that row's fault, what it can't do at all is the schema's, and what passes is run again") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    place.query("create function contract.refuse() returns trigger language plpgsql as $$ begin "
                "raise exception using errcode = new.name, message = 'refused'; end $$; "
                "create trigger refuse before insert on contract.people for each row execute function contract.refuse()");
    const auto session = domain->open();
    const std::vector<std::pair<std::string, Meant>> states = {
        {"P0001", Meant::data},   {"P0002", Meant::data},   {"P0003", Meant::data},   {"P0004", Meant::data},   {"27000", Meant::data},
        {"44000", Meant::data},   {"22003", Meant::data},   {"23514", Meant::data},   {"54000", Meant::data},   {"54001", Meant::data},
        {"21000", Meant::schema}, {"2BP01", Meant::schema}, {"2B000", Meant::schema}, {"42501", Meant::schema}, {"42P01", Meant::schema},
        {"3F000", Meant::schema}, {"25001", Meant::schema}, {"25P02", Meant::again},  {"40001", Meant::again},  {"40P01", Meant::again},
        {"55P03", Meant::again},  {"57014", Meant::again},
    };
    for (const auto &[state, meant] : states) {
        INFO(state);
        const std::vector<TableFlush> flush = {created(people::kTable, {person(state, Value(), 1)})};
        CHECK(meaning_of(*session, flush, state) == meant);
    }
    place.query("drop trigger refuse on contract.people");
    const std::vector<TableFlush> flush = {created(people::kTable, {person("ada", Value(), 1)})};
    transact(*session, [&] { session->flush(flush); });
    CHECK(session->count_rows(people::kTable) == 1);
}

TEST_CASE("a row that a checked view doesn't show is refused as data, and a trigger's subquery that finds two rows is the schema's fault") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    // The domain's name leads to a view of another's making, after the migration.
    place.query("alter table contract.pets rename to all_pets; create view contract.pets as select * from contract.all_pets where name <> "
                "'hidden' with check option; alter view contract.pets owner to weir; grant all on contract.pets to weir_contract");
    const auto session = domain->open();
    const std::vector<TableFlush> hidden = {created(pets::kTable, {{std::string("hidden"), std::string("ada")}})};
    CHECK(meaning_of(*session, hidden, "44000") == Meant::data);
    place.query("create function contract.look() returns trigger language plpgsql as $$ begin "
                "perform (select n from generate_series(1, 2) as n); return new; end $$; "
                "create trigger look before insert on contract.people for each row execute function contract.look()");
    const std::vector<TableFlush> flush = {created(people::kTable, {person("ada", Value(), 1)})};
    CHECK(meaning_of(*session, flush, "21000") == Meant::schema);
}

TEST_CASE("a statement in a transaction that has failed already means to run the batch again, which works after the rollback") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    place.query("alter table contract.people add check (age <= 90)");
    const auto session = domain->open();
    const std::vector<TableFlush> old = {created(people::kTable, {person("eve", Value(), 99)})};
    session->begin({});
    CHECK_THROWS_AS(session->flush(old), DataRefused);
    try { // no savepoint to go back to
        session->record(std::vector{LedgerEntry{id_of(1), 1, Outcome::applied}});
        FAIL_CHECK("it was recorded");
    } catch (const RunAgain &failure) {
        CHECK(std::string(failure.what()).find("25P02") != std::string::npos);
    } catch (const std::exception &failure) {
        FAIL_CHECK(failure.what());
    }
    session->rollback();
    transact(*session, [&] { session->record(std::vector{LedgerEntry{id_of(1), 1, Outcome::applied}}); });
    CHECK(session->decided(std::vector{id_of(1)}).size() == 1);
}
