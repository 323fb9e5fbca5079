// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"
#include "sqlite_files.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace weir::store;
using namespace weir::test;

TEST_CASE("tables that another program made are adopted where they fit, with their rows") {
    const TemporaryDirectory directory;
    const auto file = directory / "contract.db";
    run_sql(file, R"(
        CREATE TABLE people (name VARCHAR(40) PRIMARY KEY, email TEXT COLLATE NOCASE UNIQUE, age BIGINT NOT NULL, boss VARCHAR REFERENCES people (name), note TEXT);
        INSERT INTO people VALUES ('ada', 'ada@x.org', 30, NULL, 'kept');
        CREATE TABLE event_ledger (event_id CHAR(36) PRIMARY KEY, received_at DATETIME NOT NULL, outcome VARCHAR(10) NOT NULL);
        INSERT INTO event_ledger VALUES ('00000000-0000-0000-0000-000000000007', '2025-11-24 10:00:07.040058', 'applied');
        CREATE TABLE dead_letter_queue (id INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, event_type TEXT NOT NULL, event_data JSON, error_type TEXT NOT NULL,
          error_message TEXT NOT NULL, retry_count INTEGER NOT NULL, status TEXT NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL);
        INSERT INTO dead_letter_queue VALUES (1, '00000000-0000-0000-0000-000000000008', 'a.v1', '{}', 'x', 'y', 1, 'pending', '2025-11-24 10:00:07', '2025-11-24 10:00:07.5');)");
    auto store = open_at(directory.path());
    auto domain = store->domain("contract");
    const MigrationSteps steps = domain->migrate(contract_schema());
    CHECK(std::find(steps.begin(), steps.end(), "adopted table people") != steps.end());
    CHECK(std::find(steps.begin(), steps.end(), "added column dead_letter_queue.raw") != steps.end());
    CHECK(domain->migrate(contract_schema()).empty());
    CHECK(domain->adopted_tables(contract_schema()) == std::vector<std::string>{"people"});
    auto session = domain->open();
    const std::vector<Key> keys = {{std::string("ada")}};
    CHECK(session->fetch(people::kTable, keys).front() == person("ada", "ada@x.org", 30));
    CHECK(session->decided(std::vector{id_of(7)}).size() == 1);
    const auto letter = session->dead_letter(id_of(8));
    REQUIRE(letter);
    CHECK(letter->created_at == 1'763'978'407'000'000);
    CHECK(letter->updated_at == 1'763'978'407'500'000);
    CHECK(session->ledger_counts().applied == 1);
    session->begin({});
    const std::vector<LedgerEntry> entry = {{id_of(9), 1, Outcome::ignored}};
    session->record(entry);
    session->settle_dead_letter(*letter, DeadLetterStatus::replayed, Outcome::applied); // the other program's ledger doesn't hold it
    session->commit();
    CHECK(session->ledger_counts().applied == 2);
    CHECK(session->decided(std::vector{id_of(8), id_of(9)}).size() == 2);
}

TEST_CASE("tables that another program made and that don't fit are refused, each reason named, and nothing is changed") {
    const TemporaryDirectory directory;
    const auto file = directory / "contract.db";
    run_sql(file, R"(
        CREATE TABLE people (name TEXT NOT NULL, email TEXT, age TEXT NOT NULL, boss TEXT, must TEXT NOT NULL, PRIMARY KEY (name, age));
        CREATE TABLE every_type (id TEXT NOT NULL, part INTEGER NOT NULL, amount DECIMAL(18,4), PRIMARY KEY (id, part));
        CREATE TABLE toys (owner TEXT REFERENCES pets (name) ON DELETE CASCADE);
        CREATE TABLE pets (name TEXT PRIMARY KEY, owner TEXT NOT NULL);
        CREATE VIEW outbox AS SELECT 1;)");
    const std::string message = message_of<SchemaWrong>([&] { contract_domain(*open_at(directory.path())); });
    for (const char *part : {"people.age is declared as int64", "people.email is declared as case-insensitive",
                             "people.must isn't declared", "primary key (name, age)", "every_type.amount is declared as decimal(18,4)",
                             "pets is declared to refer", "toys refers to pets", "outbox is a view", "another service.schema"}) {
        INFO(part);
        CHECK(message.find(part) != std::string::npos);
    }
    CHECK(one_text(file, "select count(*) from sqlite_master where name = 'event_ledger'") == "0");
    CHECK(one_text(file, "select count(*) from pragma_table_info('every_type')") == "3");
}

TEST_CASE("a queue that refuses what Weir writes is refused by the migration, and later it is the schema's fault") {
    const TemporaryDirectory directory;
    const auto file = directory / "contract.db";
    const std::string queue =
        "DROP TABLE IF EXISTS dead_letter_queue; CREATE TABLE dead_letter_queue (id INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, "
        "event_type TEXT NOT NULL, event_data JSON, error_type TEXT NOT NULL, error_message VARCHAR(200) NOT NULL, retry_count INTEGER "
        "NOT NULL, status TEXT NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL";
    for (const char *check : {", CONSTRAINT bad CHECK (status IN ('PENDING', 'REPLAYED', 'DROPPED')))",
                              ", CONSTRAINT bad CHECK (length(error_message) <= 200))", ", CONSTRAINT bad CHECK (status <> 'dropped'))"}) {
        run_sql(file, queue + check);
        const std::string message = message_of<SchemaWrong>([&] { contract_domain(*open_at(directory.path())); });
        CHECK(message.find("dead_letter_queue") != std::string::npos);
        CHECK(message.find("bad") != std::string::npos);
        CHECK(one_text(file, "select count(*) from sqlite_master where name = 'event_ledger'") == "0"); // nothing was changed
    }
    run_sql(file, queue + ", CHECK (event_type <> 'x'))");
    auto store = open_at(directory.path());
    auto session = contract_domain(*store)->open();
    CHECK(session->dead_letters({}).empty()); // the trial leaves nothing behind
    DeadLetter letter;
    letter.event_id = id_of(1);
    letter.event_type = "x";
    session->begin({});
    CHECK_THROWS_AS(session->add_dead_letters(std::vector{letter}), SchemaWrong);
    session->rollback();
    letter.event_type = "y";
    letter.error_message = std::string(400, 'm'); // SQLite keeps no lengths
    transact(*session, [&] { session->add_dead_letters(std::vector{letter}); });
    CHECK(session->dead_letter(id_of(1))->error_message == letter.error_message);
}

TEST_CASE("rows that a new unique index would refuse are left, and the migration says why it can't be") {
    const TemporaryDirectory directory;
    run_sql(
        directory / "contract.db",
        "CREATE TABLE people (name TEXT PRIMARY KEY, email TEXT COLLATE NOCASE, age INTEGER NOT NULL, boss TEXT REFERENCES people (name));"
        "INSERT INTO people VALUES ('a', 'X', 1, NULL), ('b', 'x', 1, NULL);");
    const std::string message = message_of<SchemaWrong>([&] { contract_domain(*open_at(directory.path())); });
    CHECK(message.find("people_email") != std::string::npos);
    CHECK(one_text(directory / "contract.db", "select count(*) from sqlite_master where name = 'event_ledger'") == "0");
}

TEST_CASE("a replacement keeps what nobody declared of an adopted table, in the rows that stay") {
    const TemporaryDirectory directory;
    const auto file = directory / "contract.db";
    run_sql(file, R"(
        CREATE TABLE people (name VARCHAR(40) PRIMARY KEY, email TEXT COLLATE NOCASE UNIQUE, age BIGINT NOT NULL, boss VARCHAR REFERENCES people (name), note TEXT);
        INSERT INTO people VALUES ('ada', NULL, 30, NULL, 'kept');
        INSERT INTO people VALUES ('bob', NULL, 30, NULL, 'gone');)");
    auto store = open_at(directory.path());
    auto domain = store->domain("contract");
    domain->migrate(contract_schema());
    auto shadow = store->domain(shadow_schema_name("contract"));
    shadow->migrate(contract_schema());
    auto session = shadow->open();
    transact(*session, [&] { session->flush(std::vector{created(people::kTable, {person("ada", {}, 31)})}); });
    session.reset();
    store->replace_by_shadow("contract", contract_schema())->commit();
    CHECK(one_text(file, "select group_concat(name || age || note) from people") == "ada31kept");
    CHECK(domain->adopted_tables(contract_schema()).empty());
}
