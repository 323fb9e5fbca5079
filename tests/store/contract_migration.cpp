// SPDX-License-Identifier: Apache-2.0
#include "child_process.hpp"
#include "contract_schema.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <deque>

namespace weir::test {

using namespace store;

namespace {

Schema with_column(Column column) {
    Schema schema = contract_schema();
    schema.tables[people::kTable].columns.push_back(std::move(column));
    return schema;
}

Column new_column(const std::string &name, Type type, bool nullable) {
    Column column;
    column.name = name;
    column.type = type;
    column.nullable = nullable;
    return column;
}

std::string refusal(DomainStore &domain, const Schema &schema) {
    try {
        domain.migrate(schema);
    } catch (const SchemaWrong &error) {
        return error.what();
    }
    return "";
}

bool has_step(const MigrationSteps &steps, const std::string &step) { return std::find(steps.begin(), steps.end(), step) != steps.end(); }

} // namespace

std::vector<Promise> migration_promises() {
    return {
        {"migrating makes the tables and says so; a second time does nothing",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = store->domain("contract");
             const MigrationSteps steps = domain->migrate(contract_schema());
             CHECK(has_step(steps, "created table people"));
             CHECK(has_step(steps, "created table event_ledger"));
             CHECK(domain->migrate(contract_schema()).empty());
             CHECK(place.open()->domain("contract")->migrate(contract_schema()).empty());
         }},
        {"operators' sessions know the standard tables without the domain's",
         [](StorePlace &place) {
             contract_domain(*place.open());
             auto session = place.open()->domain("contract")->open();
             CHECK(session->dead_letters({}).empty());
             CHECK(session->ledger_counts().applied == 0);
             CHECK_THROWS_AS(session->count_rows(0), SchemaWrong);
         }},
        {"new columns, indexes and tables are added, and the rows that are there stay",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             {
                 auto session = domain->open();
                 const std::vector<TableFlush> flush = {created(people::kTable, {person("ada", Value(), 30)})};
                 transact(*session, [&] { session->flush(flush); });
             }
             Column status = new_column("status", Type::text, false);
             status.default_kind = Default::literal;
             status.default_value = std::string("it's new");
             Schema schema = with_column(status);
             Column since = new_column("since", Type::timestamp, false);
             since.default_kind = Default::now;
             Column amount = new_column("amount", Type::decimal, false);
             amount.precision = 5;
             amount.scale = 2;
             amount.default_kind = Default::literal;
             amount.default_value = std::int64_t{-150};
             auto &columns = schema.tables[people::kTable].columns;
             columns.push_back(since);
             columns.push_back(amount);
             columns.push_back(new_column("nick", Type::citext, true));
             schema.tables[people::kTable].indexes.push_back({"people_nick", {7}, true});
             Table table;
             table.name = "added";
             table.columns = {new_column("id", Type::uuid, false)};
             table.primary_key = {0};
             schema.tables.push_back(table);
             const MigrationSteps foreseen = domain->preview(schema);
             CHECK(domain->preview(schema) == foreseen); // it changed nothing
             const MigrationSteps steps = domain->migrate(schema);
             CHECK(steps == foreseen);
             CHECK(domain->preview(schema).empty());
             CHECK(has_step(steps, "added column people.status"));
             CHECK(has_step(steps, "created table added"));
             auto session = domain->open();
             const std::vector<Key> keys = {{std::string("ada")}};
             const auto row = session->fetch(people::kTable, keys).front();
             REQUIRE(row);
             CHECK((*row)[people::kAge] == Value(std::int64_t{30}));
             CHECK((*row)[4] == Value(std::string("it's new")));
             CHECK(std::get<std::int64_t>((*row)[5]) > 1'700'000'000'000'000);
             CHECK((*row)[6] == Value(std::int64_t{-150}));
             CHECK((*row)[7] == Value());
             CHECK(domain->migrate(schema).empty());
         }},
        {"everything that doesn't fit is named at once, and nothing is changed",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = contract_domain(*store);
             Schema schema = contract_schema();
             schema.tables[people::kTable].columns[people::kAge].type = Type::text;
             schema.tables[all_types::kTable].columns[all_types::kDecimal].scale = 2;               // the same storage, another meaning
             schema.tables[pets::kTable].columns.push_back(new_column("tail", Type::int64, false)); // neither nullable nor a default
             schema.tables[pets::kTable].columns.push_back(new_column("fur", Type::text, true));    // would fit
             const std::string message = refusal(*domain, schema);
             CHECK_THROWS_AS(domain->preview(schema), SchemaWrong);
             CHECK(message.find("people.age") != std::string::npos);
             CHECK(message.find("every_type.amount") != std::string::npos);
             CHECK(message.find("pets.tail") != std::string::npos);
             CHECK(message.find("pets.fur") == std::string::npos);
             CHECK(domain->migrate(contract_schema()).empty());
         }},
        {"a plugin that went back to an older version works with the newer tables",
         [](StorePlace &place) {
             auto store = place.open();
             auto domain = store->domain("contract");
             domain->migrate(with_column(new_column("extra", Type::text, true)));
             CHECK(domain->migrate(contract_schema()).empty());
             auto session = domain->open();
             const std::vector<TableFlush> flush = {created(people::kTable, {person("ada", Value(), 30)})};
             transact(*session, [&] { session->flush(flush); });
             CHECK(session->count_rows(people::kTable) == 1);
         }},
        {"processes that migrate at the same time all succeed, and the tables are made once",
         [](StorePlace &place) {
             for (int round = 0; round < 5; ++round) {
                 const std::string name = "round" + std::to_string(round);
                 std::deque<ChildProcess> children;
                 for (int i = 0; i < 4; ++i) {
                     children.emplace_back([&](const ChildProcess::Say &) {
                         auto domain = place.open()->domain(name);
                         const bool made = !domain->migrate(contract_schema()).empty();
                         auto session = domain->open();
                         const std::vector<LedgerEntry> entry = {{id_of(static_cast<std::uint64_t>(i)), 1, Outcome::applied}};
                         transact(*session, [&] { session->record(entry); });
                         return made ? 1 : 0;
                     });
                 }
                 int made = 0;
                 for (ChildProcess &child : children) {
                     const int code = child.wait();
                     REQUIRE((code == 0 || code == 1));
                     made += code;
                 }
                 CHECK(made == 1);
                 CHECK(place.open()->domain(name)->open()->ledger_counts().applied == 4);
             }
         }},
    };
}

} // namespace weir::test
