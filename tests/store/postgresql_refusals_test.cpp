// SPDX-License-Identifier: Apache-2.0
// What the server's refusals mean, said by the real server: a trigger raises what triggers, checked views and procedures raise.
#include "contract_schema.hpp"
#include "postgresql_places.hpp"
#include "store/refused_row.hpp"

using namespace weir;
using namespace weir::store;
using namespace weir::test;

namespace {

enum class Meant { data, schema, again, outage };

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
    } catch (const Unavailable &failure) {
        meant = Meant::outage;
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
        {"P0001", Meant::data},
        {"P0002", Meant::data},
        {"P0003", Meant::data},
        {"P0004", Meant::data},
        {"27000", Meant::data},
        {"44000", Meant::data},
        {"22003", Meant::data},
        {"23514", Meant::data},
        {"54000", Meant::data},
        {"54001", Meant::data},
        {"21000", Meant::schema},
        {"2BP01", Meant::schema},
        {"2B000", Meant::schema},
        {"42501", Meant::schema},
        {"42P01", Meant::schema},
        {"3F000", Meant::schema},
        {"25001", Meant::schema},
        {"25P02", Meant::again},
        {"40001", Meant::again},
        {"40P01", Meant::again},
        {"55P03", Meant::again},
        {"57014", Meant::again},
        {"40000", Meant::again},
        {"40003", Meant::again},
        {"55006", Meant::again},
        {"72000", Meant::again},
        {"40002", Meant::data},
        {"54011", Meant::data},
        // classes that are nobody's in particular, and those that a routine makes up
        {"T0001", Meant::data},
        {"WE042", Meant::data},
        {"38000", Meant::data},
        {"38001", Meant::data},
        {"39000", Meant::data},
        {"39P01", Meant::data},
        {"20000", Meant::data},
        {"2F005", Meant::data},
        {"2F003", Meant::data},
        {"09000", Meant::data},
        {"02000", Meant::data},
        {"01000", Meant::data},
        {"24000", Meant::data},
        {"2D000", Meant::data},
        {"0Z002", Meant::data},
        {"55000", Meant::schema},
        {"55P04", Meant::schema},
        {"0P000", Meant::schema},
        {"0LP01", Meant::schema},
        {"08006", Meant::outage},
        {"53200", Meant::outage},
        {"53400", Meant::outage},
        {"57000", Meant::outage},
        {"58030", Meant::outage},
        {"HV00N", Meant::outage},
        {"XX000", Meant::outage},
        {"XX001", Meant::outage},
        {"F0000", Meant::outage},
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

TEST_CASE("the refused row is known by its values, whatever language the server speaks, and by its statement where that wrote no other") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    // As a server with lc_messages = de_DE and one with ja_JP say it.
    place.query("create function contract.refuse() returns trigger language plpgsql as $$ begin "
                "if new.name = 'odd' then raise exception using errcode = '23505', message = 'doppelter Schlüsselwert', detail = "
                "'Schlüssel »(email)=(' || new.email || ')« existiert bereits.'; "
                "elsif new.age = 91 then raise exception using errcode = '23514', message = '検査制約に違反', detail = "
                "'失敗した行は(' || new.name || ', ' || new.email || ', ' || new.age || ', null)を含みます'; "
                "elsif new.age = 92 then raise exception using errcode = '23514', message = 'nichts'; end if; return new; end $$; "
                "create trigger refuse before insert on contract.people for each row execute function contract.refuse()");
    const auto session = domain->open();
    const auto named = [&](Row odd, int others) -> std::optional<Key> {
        std::vector<Row> rows{std::move(odd)};
        for (int i = 0; i < others; ++i) {
            rows.push_back(person("p" + std::to_string(i), "p" + std::to_string(i) + "@x.org", i));
        }
        std::optional<Key> key;
        session->begin({});
        try {
            session->flush(std::vector{created(people::kTable, std::move(rows))});
            FAIL_CHECK("nothing was refused");
        } catch (const RowRefused &refused) {
            key = refused.row().key;
        } catch (const DataRefused &) {
        }
        session->rollback();
        return key;
    };
    CHECK(named(person("odd", "odd@x.org", 1), 30) == Key{std::string("odd")});
    CHECK(named(person("old", "old@x.org", 91), 120) == Key{std::string("old")}); // p91's age is shown as well, and nothing else of it
    CHECK_FALSE(named(person("older", "older@x.org", 92), 30));                   // nothing is told of it
    CHECK(named(person("older", "older@x.org", 92), 0) == Key{std::string("older")});
}

TEST_CASE("the row whose text is too long for its column is known by its length") {
    PostgresPlace place;
    const auto store = place.open();
    Table table;
    table.name = "notes";
    table.columns.resize(3);
    table.columns[0].name = "id";
    table.columns[1].name = "words";
    table.columns[2].name = "more";
    table.primary_key = {0};
    Schema schema;
    schema.tables = {table};
    const auto domain = store->domain("notes");
    domain->migrate(schema);
    place.query("alter table notes.notes alter column words type varchar(10)");
    domain->migrate(schema);
    const auto session = domain->open();
    std::vector<Row> rows;
    for (int i = 0; i < 30; ++i) {
        rows.push_back({"n" + std::to_string(i), std::string(i == 17 ? "elf Zeichen" : "zehn Zeich"), std::string("as many as there are")});
    }
    rows[3][1] = std::string("äöüäöüäöüä"); // ten characters, twenty bytes
    session->begin({});
    try {
        session->flush(std::vector{created(0, rows)});
        FAIL("nothing was refused");
    } catch (const RowRefused &refused) {
        CHECK(refused.row().key == Key{std::string("n17")});
        CHECK(std::string(refused.what()).find("Zeichen") == std::string::npos);
    }
    session->rollback();
}

TEST_CASE("what a trigger can't do at all is taken for a plan that is out of date, and on a new connection for the row's fault") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    place.query("create function contract.refuse() returns trigger language plpgsql as $$ begin if new.name = 'eve' then "
                "raise exception using errcode = '0A000', message = 'refused'; end if; return new; end $$; "
                "create trigger refuse before insert on contract.people for each row execute function contract.refuse()");
    const auto session = domain->open();
    const std::vector<TableFlush> good = {created(people::kTable, {person("ada", Value(), 1)})};
    transact(*session, [&] { session->flush(good); }); // the connection has served
    const std::vector<TableFlush> bad = {created(people::kTable, {person("eve", Value(), 1)})};
    CHECK(meaning_of(*session, bad, "0A000") == Meant::again);
    CHECK(meaning_of(*session, bad, "0A000") == Meant::data);
    transact(*session, [&] { session->record(std::vector{LedgerEntry{id_of(2), 1, Outcome::dead}}); });
    CHECK(meaning_of(*session, bad, "0A000") == Meant::again); // that one has served by now, too
    CHECK(meaning_of(*session, bad, "0A000") == Meant::data);
    CHECK(session->count_rows(people::kTable) == 1);
}

TEST_CASE(
    "what the server can't do with a statement for any row is the schema's fault, also where it is told in a way that may mean a row") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    place.query("create rule noted as on update to contract.people do also notify people_changed");
    const auto session = domain->open();
    TableFlush flush;
    flush.table = people::kTable;
    BlindWrite write;
    write.rows = {person("ada", Value(), 1), person("eve", Value(), 1)};
    write.shape.kind = ChangeKind::insert;
    for (std::uint32_t column = 0; column < write.rows.front().size(); ++column) {
        write.shape.columns.push_back(column);
        write.shape.operations.push_back(CellOperation::set);
    }
    flush.blind.push_back(std::move(write));
    CHECK(meaning_of(*session, {flush}, "0A000") == Meant::again); // the connection may have served before
    CHECK(meaning_of(*session, {flush}, "0A000") == Meant::schema);
    place.query("drop rule noted on contract.people");
    transact(*session, [&] { session->flush(std::vector{flush}); });
    CHECK(session->count_rows(people::kTable) == 2);
}

TEST_CASE("a constraint on Weir's own tables that refuses, at once or at the commit, is the schema's fault and told as such") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    const std::string when = GENERATE("before insert", "after insert");
    const std::string state = GENERATE("23514", "T0001");
    place.query("create function contract.refuse() returns trigger language plpgsql as $$ begin "
                "raise exception using errcode = '" +
                state + "', message = 'refused'; end $$; create " +
                (when == "after insert" ? "constraint trigger refuse after insert on contract.event_ledger deferrable initially deferred"
                                        : "trigger refuse before insert on contract.event_ledger") +
                " for each row execute function contract.refuse()");
    const auto session = domain->open();
    const std::string said = refusal_of<SchemaWrong>([&] {
        transact(*session, [&] { session->record(std::vector{LedgerEntry{id_of(1), 1, Outcome::applied}}); });
    });
    session->rollback();
    CHECK(said.find("a table of its own") != std::string::npos);
    CHECK(said.find(state) != std::string::npos);
}
