// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"
#include "postgresql_places.hpp"

using namespace weir;
using namespace weir::store;
using namespace weir::test;

TEST_CASE("tables that another program made take a shadow's rows as they are, and keep what nobody declared, rights and views") {
    PostgresPlace place;
    place.query(R"(
        create schema contract;
        create type contract.letter_status as enum ('pending', 'replayed', 'dropped');
        create table contract.every_type (id varchar(40) not null, part integer not null, folded varchar(60), "integer" integer, number double precision,
          amount numeric(18,4), flag boolean, uid uuid, at timestamp without time zone, document json, raw bytea, note text default 'new',
          primary key (id, part));
        insert into contract.every_type (id, part, "integer", note) values ('x', 0, 1, 'kept'), ('gone', 0, 1, 'gone');
        create view contract.report as select id, note from contract.every_type;
        create role reporter_)" +
                place.database() + R"( nologin;
        grant select on contract.every_type to reporter_)" +
                place.database() + R"(;
        create table contract.dead_letter_queue (id serial primary key, event_id uuid not null unique, event_type varchar(100) not null, event_data jsonb,
          error_type varchar(100), error_message text, retry_count integer not null, status contract.letter_status not null, created_at timestamp not null, updated_at timestamp);
        do $$ declare name text; begin
          execute 'alter schema contract owner to weir'; execute 'alter type contract.letter_status owner to weir';
          for name in select tablename from pg_tables where schemaname = 'contract' loop execute 'alter table contract.' || name || ' owner to weir'; end loop;
          execute 'alter view contract.report owner to weir'; end $$)");
    auto store = place.open();
    auto live = store->domain("contract");
    live->migrate(contract_schema());
    CHECK(live->adopted_tables(contract_schema()) == std::vector<std::string>{"every_type"});
    auto shadow = store->domain(shadow_schema_name("contract"));
    shadow->migrate(contract_schema());
    Row full = full_row("x");
    full[all_types::kCitext] = std::string("Spelt");
    full[all_types::kNumber] = 0.1;
    full[all_types::kDecimal] = std::int64_t{-123456};
    full[all_types::kBoolean] = std::int64_t{1};
    full[all_types::kUuid] = std::string("00000000-0000-0000-0000-00000000000a");
    full[all_types::kTime] = std::int64_t{1'763'978'407'040'058};
    full[all_types::kJson] = std::string(R"({"a": [1, 2]})");
    full[all_types::kBytes] = std::string("\0\1\xff", 3);
    {
        auto session = shadow->open();
        transact(*session, [&] {
            session->flush(std::vector{created(all_types::kTable, {full, full_row("y")})});
            const std::vector<LedgerEntry> entry = {{id_of(1), 1'700'000'000'000'000, Outcome::dead}};
            session->record(entry);
            DeadLetter letter;
            letter.event_id = id_of(1);
            letter.event_type = "thing.v1";
            letter.error_type = "rejected";
            letter.created_at = letter.updated_at = 1'700'000'000'000'000;
            session->add_dead_letters(std::span(&letter, 1));
        });
    }
    const ReplacementCounts counts = store->replace_by_shadow("contract", contract_schema())->commit();
    CHECK(counts.rows_removed == 1);
    CHECK(counts.rows_changed == 1);
    CHECK(counts.rows_added == 1);
    auto session = live->open();
    Session::Scan scan;
    scan.table = all_types::kTable;
    const auto rows = session->scan(scan);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0] == full);
    CHECK(session->dead_letter(id_of(1))->created_at == 1'700'000'000'000'000);
    CHECK(place.one("select string_agg(id || '=' || note, ',' order by id) from contract.report") == "x=kept,y=new");
    CHECK(place.one("select has_table_privilege('reporter_" + place.database() + "', 'contract.every_type', 'select')") == "t");
    CHECK(live->adopted_tables(contract_schema()).empty());
    const ReplacementCounts again = store->replace_by_shadow("contract", contract_schema())->commit();
    CHECK(again.rows_removed + again.rows_changed + again.rows_added == 0);
    session.reset();
    store->remove_shadow("contract");
    CHECK(place.one("select count(*) from pg_namespace where nspname = 'contract__rebuild'") == "0");
    CHECK(place.one("select count(*) from pg_roles where rolname = 'weir_contract__rebuild'") == "0");
    place.query("drop owned by reporter_" + place.database() + "; drop role reporter_" + place.database());
}
