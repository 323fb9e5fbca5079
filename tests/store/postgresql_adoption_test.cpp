// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"
#include "postgresql_places.hpp"

#include <algorithm>

using namespace weir;
using namespace weir::store;
using namespace weir::test;

namespace {

Column column(const std::string &name, Type type, bool nullable = false) {
    Column made;
    made.name = name;
    made.type = type;
    made.nullable = nullable;
    return made;
}

Column with_default(const std::string &name, Type type, Value value) {
    Column made = column(name, type);
    made.default_kind = Default::literal;
    made.default_value = std::move(value);
    return made;
}

/// What the linting plugin declares, and a column that the other program didn't know.
Schema linting() {
    Table projection;
    projection.name = "identity_projection";
    projection.columns = {column("tenant_id", Type::uuid),
                          column("user_id", Type::uuid),
                          column("email", Type::text, true),
                          column("display_name", Type::text, true),
                          column("status", Type::text),
                          column("updated_at", Type::timestamp),
                          with_default("locale", Type::text, std::string("en"))};
    projection.primary_key = {0, 1};
    projection.indexes = {{"identity_projection_email", {2}, true}};
    Table prefs;
    prefs.name = "user_prefs";
    prefs.columns = {column("tenant_id", Type::uuid), column("user_id", Type::uuid), with_default("rules", Type::json, std::string("{}")),
                     with_default("version", Type::int64, std::int64_t{1}), column("updated_at", Type::timestamp)};
    prefs.primary_key = {0, 1};
    return {{projection, prefs}};
}

// As SQLAlchemy's create_all() writes such models: strings with lengths, times without a zone, plain json, an enumeration.
constexpr const char *kSqlAlchemy = R"(
    create schema linting;
    create type linting.user_status as enum ('active', 'disabled');
    create type linting.letter_status as enum ('pending', 'replayed', 'dropped');
    create table linting.identity_projection (
        tenant_id uuid not null, user_id uuid not null, email varchar(20), display_name varchar(255),
        status linting.user_status not null, updated_at timestamp without time zone not null,
        note varchar(40), constraint identity_projection_pkey primary key (tenant_id, user_id));
    create table linting.user_prefs (
        tenant_id uuid not null, user_id uuid not null, rules json not null, version integer not null,
        updated_at timestamp with time zone not null, primary key (tenant_id, user_id));
    create table linting.event_ledger (
        event_id uuid not null, received_at timestamp without time zone default now() not null, primary key (event_id));
    create table linting.dead_letter_queue (
        id serial not null, event_id uuid not null, event_type varchar(100) not null, event_data jsonb, error_type varchar(100),
        error_message text, retry_count integer not null, status linting.letter_status not null,
        created_at timestamp without time zone not null, updated_at timestamp without time zone,
        primary key (id), constraint uq_dlq_event unique (event_id));
    insert into linting.identity_projection values
        ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-00000000000a', 'ada@x.org', 'Ada', 'active', '2025-11-24 10:00:07.040058', 'kept'),
        ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-00000000000b', 'bob@x.org', null, 'disabled', '2025-11-24 10:00:08', null);
    insert into linting.user_prefs values
        ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-00000000000a', '{"a":1}', 3, '2025-11-24 11:00:07+01');
    insert into linting.event_ledger values ('00000000-0000-0000-0000-000000000007', '2025-11-24 10:00:07.040058');
    insert into linting.dead_letter_queue (event_id, event_type, event_data, retry_count, status, created_at) values
        ('00000000-0000-0000-0000-000000000008', 'a.v1', '{}', 1, 'pending', '2025-11-24 10:00:07');
    alter schema linting owner to weir;
    alter type linting.user_status owner to weir;
    alter type linting.letter_status owner to weir;
    alter table linting.identity_projection owner to weir;
    alter table linting.user_prefs owner to weir;
    alter table linting.event_ledger owner to weir;
    alter table linting.dead_letter_queue owner to weir;)";

const std::string kTenant = "00000000-0000-0000-0000-000000000001";
const std::string kAda = "00000000-0000-0000-0000-00000000000a";
const std::string kBob = "00000000-0000-0000-0000-00000000000b";
constexpr std::int64_t kTen = 1'763'978'407'000'000; // 2025-11-24T10:00:07Z

Row user(const std::string &id, const Value &email, const std::string &status, std::int64_t at) {
    return {kTenant, id, email, Value(), status, at, std::string("en")};
}

} // namespace

TEST_CASE("tables that a service with SQLAlchemy made are adopted in place, with their rows") {
    PostgresPlace place;
    place.query(kSqlAlchemy);
    const auto store = place.open();
    const auto domain = store->domain("linting");
    const MigrationSteps steps = domain->migrate(linting());
    const auto has = [&](const char *step) { return std::find(steps.begin(), steps.end(), step) != steps.end(); };
    CHECK(has("adopted table identity_projection"));
    CHECK(has("added column identity_projection.locale"));
    CHECK(has("added column event_ledger.outcome"));
    CHECK(has("added column dead_letter_queue.raw"));
    CHECK(domain->migrate(linting()).empty());

    const auto session = domain->open();
    const std::vector<Key> keys = {{kTenant, kAda}, {kTenant, kBob}};
    auto rows = session->fetch(0, keys);
    REQUIRE((rows[0] && rows[1]));
    CHECK((*rows[0])[4] == Value(std::string("active")));
    CHECK((*rows[0])[5] == Value(kTen + 40'058));
    CHECK((*rows[0])[6] == Value(std::string("en")));
    const auto prefs = session->fetch(1, std::vector<Key>{{kTenant, kAda}}).front();
    REQUIRE(prefs);
    CHECK((*prefs)[2] == Value(std::string("{\"a\":1}")));
    CHECK((*prefs)[3] == Value(std::int64_t{3}));
    CHECK((*prefs)[4] == Value(kTen));

    // What the other service had applied is applied.
    CHECK(session->decided(std::vector{id_of(7), id_of(9)}) == std::vector{id_of(7)});
    CHECK(session->ledger_counts().applied == 1);
    const auto letter = session->dead_letter(id_of(8));
    REQUIRE(letter);
    CHECK(letter->created_at == kTen);
    CHECK(letter->error_message.empty());

    // Both are written to as any other table, through enumerations, lengths and times without a zone.
    TableFlush flush;
    flush.table = 0;
    flush.changed_columns = {2, 4, 5};
    flush.changed = {user(kAda, std::string("bob@x.org"), "disabled", kTen + 1), user(kBob, std::string("ada@x.org"), "active", kTen + 2)};
    BlindWrite blind;
    blind.shape = {ChangeKind::upsert, {0, 1, 2, 3, 4, 5, 6}, std::vector<CellOperation>(7, CellOperation::set)};
    blind.shape.operations[5] = CellOperation::max;
    blind.rows = {user("00000000-0000-0000-0000-00000000000c", std::string("c@x.org"), "active", 5)};
    flush.blind = {blind};
    const std::vector<TableFlush> all = {flush};
    DeadLetter another;
    another.event_id = id_of(9);
    another.event_data = "{\"a\": \"\\u0000\"}"; // which jsonb doesn't take: the bytes are kept
    another.raw = "{\"a\": \"\\u0000\"}";
    const std::vector<DeadLetter> letters = {another};
    transact(*session, [&] {
        session->flush(all);
        session->add_dead_letters(letters);
        session->record(std::vector{LedgerEntry{id_of(9), kTen, Outcome::dead}});
        session->settle_dead_letter(*letter, DeadLetterStatus::replayed, Outcome::applied); // the other program's ledger doesn't hold it
    });
    rows = session->fetch(0, keys);
    CHECK((*rows[0])[2] == Value(std::string("bob@x.org"))); // a unique value went from one to the other
    CHECK((*rows[1])[5] == Value(kTen + 2));
    CHECK(place.one("select note from linting.identity_projection where user_id = '" + kAda + "'") == "kept");
    CHECK(place.one("select status from linting.dead_letter_queue where event_id = '00000000-0000-0000-0000-000000000008'") == "replayed");
    CHECK_FALSE(session->dead_letter(id_of(9))->event_data);
    CHECK(session->dead_letter(id_of(9))->raw == another.raw);
    CHECK(session->decided(std::vector{id_of(8), id_of(9)}).size() == 2);
}

TEST_CASE("a text that is too long for another program's column is refused as data, and the transaction goes on") {
    PostgresPlace place;
    place.query(kSqlAlchemy);
    const auto store = place.open();
    const auto domain = store->domain("linting");
    domain->migrate(linting());
    const auto session = domain->open();
    const std::string secret = "somebody-with-a-long-name@example.org";
    const std::vector<TableFlush> flush = {created(0, {user("00000000-0000-0000-0000-00000000000d", secret, "active", 1)})};
    const std::vector<TableFlush> unknown = {created(0, {user("00000000-0000-0000-0000-00000000000d", Value(), "secretly", 1)})};
    session->begin({});
    session->savepoint(1);
    const std::string message = refusal_of<DataRefused>([&] { session->flush(flush); });
    CHECK(message.find("22001") != std::string::npos);
    CHECK(message.find("somebody") == std::string::npos);
    session->rollback_to(1);
    CHECK(refusal_of<DataRefused>([&] { session->flush(unknown); }).find("secretly") == std::string::npos); // no label of the enumeration
    session->rollback_to(1);
    session->release(1);
    session->record(std::vector{LedgerEntry{id_of(1), 1, Outcome::dead}});
    session->commit();
    CHECK(session->count_rows(0) == 2);
    CHECK(session->decided(std::vector{id_of(1)}).size() == 1);
}

namespace {

/// A dead-letter queue as another program may have made it, with columns of its own choice.
std::string queue(const std::string &columns) {
    return "create schema linting; create table linting.dead_letter_queue (id serial primary key, event_id uuid not null unique, "
           "event_data jsonb, retry_count integer not null, created_at timestamp not null, " +
           columns + "); alter schema linting owner to weir; alter table linting.dead_letter_queue owner to weir";
}

} // namespace

TEST_CASE("a dead letter whose texts are too long for another program's queue is kept, its texts cut where that can be seen") {
    PostgresPlace place;
    place.query(queue("event_type varchar(50) not null, error_type varchar(24), error_message varchar(200), status varchar(8) not null, "
                      "topic varchar(200) not null, position varchar(41) not null"));
    const auto store = place.open();
    const auto domain = store->domain("linting");
    domain->migrate(linting());
    const auto session = domain->open();
    DeadLetter letter;
    letter.event_id = id_of(1);
    letter.topic = std::string(200, 't');
    letter.position = "18446744073709551615-18446744073709551615";
    letter.event_type = "user." + std::string(60, 'x') + ".v1";
    letter.error_type = "a_reason_that_is_very_long_indeed";
    for (int i = 0; i < 300; ++i) {
        letter.error_message += "\xC3\xA9"; // two bytes, one character
    }
    const std::vector<DeadLetter> letters = {letter};
    transact(*session, [&] {
        session->add_dead_letters(letters);
        session->record(std::vector{LedgerEntry{id_of(1), kTen, Outcome::dead}});
    });
    const auto kept = session->dead_letter(id_of(1));
    REQUIRE(kept);
    CHECK(kept->topic == letter.topic);
    CHECK(kept->position == letter.position);
    CHECK(kept->event_type == letter.event_type.substr(0, 47) + "...");
    CHECK(kept->error_type == letter.error_type.substr(0, 21) + "...");
    CHECK(kept->error_message == letter.error_message.substr(0, 2 * 197) + "...");
    DeadLetterFilter filter; // is cut alike
    filter.error_type = letter.error_type;
    CHECK(session->dead_letters(filter).size() == 1);

    // A replay that fails, by an operator's command, which knows no plugin's tables.
    const auto another = place.open()->domain("linting")->open();
    transact(*another, [&] { another->note_replay_failure(*kept, {"short", letter.error_message + letter.error_message}); });
    CHECK(session->dead_letter(id_of(1))->error_message == kept->error_message);
    CHECK(session->dead_letter(id_of(1))->error_type == "short");
    transact(*session, [&] { session->settle_dead_letter(*kept, DeadLetterStatus::replayed, Outcome::applied); });
    CHECK(session->dead_letter(id_of(1))->status == DeadLetterStatus::replayed);

    // And a rebuild, whose shadow keeps them whole.
    const auto shadow = store->domain(shadow_schema_name("linting"));
    shadow->migrate(linting());
    const auto other = shadow->open();
    std::vector<DeadLetter> whole = {letter, letter};
    whole[1].event_id = id_of(2);
    transact(*other, [&] {
        other->add_dead_letters(whole);
        other->record(std::vector{LedgerEntry{id_of(1), kTen, Outcome::dead}, LedgerEntry{id_of(2), kTen, Outcome::dead}});
    });
    CHECK(other->dead_letter(id_of(1))->error_message == letter.error_message);
    CHECK(store->replace_by_shadow("linting", linting())->commit().letters_added == 1);
    for (const std::uint64_t number : {1, 2}) {
        CHECK(session->dead_letter(id_of(number))->error_message == kept->error_message);
    }
}

TEST_CASE("a queue in which a cut text would lie, or that refuses what Weir writes, is refused by the migration, with what to do") {
    PostgresPlace place;
    const std::string good =
        "event_type text, error_type text, error_message text, status varchar(10) not null, topic varchar(255), position text";
    const auto migrated = [&](const std::string &column, const std::string &instead, const std::string &further = "") {
        std::string columns = good;
        columns.replace(columns.find(column), std::min(columns.size(), columns.find(',', columns.find(column))) - columns.find(column),
                        instead);
        place.query("drop schema if exists linting cascade; " + queue(columns + further));
        const auto store = place.open();
        std::string message = refusal_of<SchemaWrong>([&] { store->domain("linting")->migrate(linting()); });
        CHECK(place.one("select count(*) from pg_tables where schemaname = 'linting'") == "1"); // nothing was changed
        return message;
    };
    CHECK(migrated("topic", "topic varchar(40)").find("ALTER TABLE \"linting\".dead_letter_queue ALTER COLUMN topic TYPE text") !=
          std::string::npos);
    CHECK(migrated("position", "position varchar(20)").find("dead_letter_queue.position") != std::string::npos);
    CHECK(migrated("error_message", "error_message varchar(10)").find("dead_letter_queue.error_message") != std::string::npos);
    CHECK(migrated("status", "status varchar(7)").find("dead_letter_queue.status") != std::string::npos);
    place.query("create type public.shouted as enum ('PENDING', 'REPLAYED', 'DROPPED')");
    CHECK(migrated("status", "status public.shouted").find("'pending'") != std::string::npos);
    CHECK(migrated("error_type", "error_type public.shouted").find("dead_letter_queue.error_type") != std::string::npos);
    const std::string checked =
        migrated("status", good.substr(good.find("status"), 27), ", constraint loud check (status = upper(status))");
    CHECK(checked.find("dead_letter_queue") != std::string::npos);
    CHECK(checked.find("loud") != std::string::npos);
    place.query("drop schema linting cascade; " + queue(good + ", constraint fine check (status = lower(status))"));
    place.open()->domain("linting")->migrate(linting());
    CHECK(place.one("select count(*) from linting.dead_letter_queue") == "0"); // the trial leaves nothing behind
    CHECK(place.one("select count(*) from linting.event_ledger") == "0");
}

TEST_CASE("a queue that begins to refuse letters while the host runs is the schema's fault, and is named") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    place.query("alter table contract.dead_letter_queue add constraint nothing_more check (event_type <> 'x')");
    const auto session = domain->open();
    DeadLetter letter;
    letter.event_id = id_of(1);
    letter.event_type = "x";
    const std::vector<DeadLetter> letters = {letter};
    session->begin({});
    session->add_dead_letters(letters);
    const std::string message = refusal_of<SchemaWrong>([&] { session->commit(); });
    CHECK(message.find("dead_letter_queue") != std::string::npos);
    CHECK(message.find("nothing_more") != std::string::npos);
    session->rollback();
}

TEST_CASE("tables that don't fit are refused with all that is wrong and the SQL to mend it, and nothing is changed") {
    PostgresPlace place;
    place.query(R"(
        create schema contract authorization weir;
        create table contract.people (name text not null, email varchar(40), age text not null, boss text, must text not null, primary key (name, age));
        create table contract.every_type (id char(36) not null, part integer not null, amount numeric, number real, uid varchar(36),
            at timestamp(0), primary key (id, part));
        create table contract.pets (name text primary key, owner text not null);
        create table contract.toys (owner text references contract.pets (name) on delete cascade);
        create view contract.outbox as select 1;)");
    const auto store = place.open();
    const std::string message = refusal_of<SchemaWrong>([&] { contract_domain(*store); });
    for (const char *part :
         {"people.age is declared as int64, but is text: ALTER TABLE \"contract\".people ALTER COLUMN age TYPE bigint",
          "people.must isn't declared", "primary key (name, age)", "every_type.amount is declared as decimal(18,4)", "every_type.number",
          "every_type.uid", "every_type.at", "every_type.id", "toys refers to pets", "outbox is a view", "another service.schema"}) {
        INFO(part << "\n" << message);
        CHECK(message.find(part) != std::string::npos);
    }
    CHECK(message.find("every_type.part") == std::string::npos); // an integer holds what an int64 holds, or refuses it
    CHECK(place.one("select count(*) from pg_tables where schemaname = 'contract'") == "4");
    CHECK(place.one("select count(*) from information_schema.columns where table_schema = 'contract' and table_name = 'every_type'") ==
          "6");
}

TEST_CASE("rows that a new unique index would refuse are left, and the migration says which index it was") {
    PostgresPlace place;
    place.query(
        "create schema contract authorization weir; create table contract.people (name text primary key, email text, age bigint not null, "
        "boss text references contract.people (name)); alter table contract.people owner to weir; "
        "insert into contract.people values ('a', 'X', 1, null), ('b', 'x', 1, null)");
    const auto store = place.open();
    const std::string message = refusal_of<SchemaWrong>([&] { contract_domain(*store); });
    CHECK(message.find("people_email") != std::string::npos);
    CHECK(place.one("select count(*) from pg_tables where schemaname = 'contract'") == "1");
}
