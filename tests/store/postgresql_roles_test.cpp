// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"
#include "postgresql_places.hpp"

#include <algorithm>

using namespace weir;
using namespace weir::store;
using namespace weir::store::postgresql;
using namespace weir::test;

namespace {

Schema tags(const std::string &name) {
    Table table;
    table.name = name;
    table.columns.resize(2);
    table.columns[0].name = "tag";
    table.columns[1].name = "uses";
    table.columns[1].type = Type::int64;
    table.primary_key = {0};
    return {{table}};
}

void write(DomainStore &domain, const std::string &tag) {
    const auto session = domain.open();
    const std::vector<TableFlush> flush = {created(0, {{tag, std::int64_t{1}}})};
    transact(*session, [&] { session->flush(flush); });
}

/// Options of a login with less rights than the one that tests usually take.
PostgresqlOptions options_of(const PostgresPlace &place, const std::string &login, bool roles = true) {
    PostgresqlOptions options = options_for(postgres().url(place.database(), login, "secret"));
    options.roles = roles;
    return options;
}

} // namespace

TEST_CASE("each domain works as a role that reaches its own schema alone: the database itself refuses every other") {
    PostgresPlace place;
    const auto store = place.open();
    const auto one = store->domain("one");
    const auto two = store->domain("two");
    const MigrationSteps steps = one->migrate(tags("tags"));
    CHECK(std::find(steps.begin(), steps.end(), "created schema one") != steps.end());
    two->migrate(tags("tags"));
    write(*one, "a");
    CHECK(place.one("select rolcanlogin or rolsuper or rolcreaterole or rolcreatedb from pg_roles where rolname = 'weir_one'") == "f");
    // The other domain's table under a forged name: as if a fault in the host, or in what a plugin declares, had let one out of its schema.
    for (const char *sql : {"insert into two.tags values ('x', 1)", "select * from two.tags", "delete from two.event_ledger",
                            "update two.positions set low = 0", "drop table two.tags", "create table two.mine (a int)",
                            "alter table one.tags drop column uses", "create schema three", "set role weir_two; select * from two.tags"}) {
        INFO(sql);
        std::string refusal;
        try {
            postgres().query(std::string("begin; set local session authorization weir_one; ") + sql, place.database());
        } catch (const std::exception &error) {
            refusal = error.what();
        }
        CHECK((refusal.find("permission denied") != std::string::npos || refusal.find("must be owner") != std::string::npos));
    }
    CHECK(place.one("select count(*) from two.tags") == "0");
    write(*two, "b");
    CHECK(place.one("select count(*) from two.tags") == "1");
}

TEST_CASE("a session whose table lies in another domain's schema is refused by the database, and nothing is written") {
    PostgresPlace place;
    const auto store = place.open();
    const auto one = store->domain("one");
    store->domain("two")->migrate(tags("tags"));
    one->migrate(tags("tags"));
    // The name that the session knows leads into the other schema, which a rename makes true without the session's doing.
    place.query("drop table one.tags; create view one.tags as select * from two.tags; alter view one.tags set (security_invoker = true); "
                "grant all on one.tags to weir_one");
    const auto session = one->open();
    const std::vector<TableFlush> flush = {created(0, {{std::string("x"), std::int64_t{1}}})};
    session->begin({});
    CHECK_THROWS_AS(session->flush(flush), SchemaWrong);
    session->rollback();
    CHECK(place.one("select count(*) from two.tags") == "0");
}

TEST_CASE("a connection takes nothing of one domain along to the next") {
    PostgresPlace place;
    PostgresqlOptions options = place.options();
    options.pool_max = 1;
    const auto store = open_postgresql_store(options);
    const auto one = store->domain("one");
    const auto two = store->domain("two");
    one->migrate(tags("tags"));
    two->migrate(tags("tags"));
    for (int i = 0; i < 5; ++i) { // both through one connection, in turns
        write(*one, "a" + std::to_string(i));
        {
            const auto session = two->open();
            session->begin({});
            CHECK(session->count_rows(0) == static_cast<std::uint64_t>(i));
            CHECK(place.one("select application_name from pg_stat_activity where application_name like 'weir/%'") == "weir/two");
        } // goes in the middle of its transaction
        write(*two, "b" + std::to_string(i));
    }
    CHECK(place.one("select count(*) from one.tags") == "5");
    CHECK(place.one("select count(*) from pg_stat_activity where application_name like 'weir/%'") == "0");
}

TEST_CASE("a login that may not make schema and role is told the SQL to run, and works when it has been run") {
    PostgresPlace place;
    postgres().query("drop role if exists weir_narrow; drop role if exists plain; create role plain login password 'secret'", "postgres");
    const auto store = open_postgresql_store(options_of(place, "plain"));
    const auto domain = store->domain("narrow");
    const std::string message = refusal_of<SchemaWrong>([&] { domain->migrate(tags("tags")); });
    const auto from = message.find("\n  CREATE ROLE");
    const auto to = message.find("\nor set store.roles");
    INFO(message);
    REQUIRE((from != std::string::npos && to != std::string::npos));
    CHECK(message.find("secret") == std::string::npos);
    place.query(message.substr(from, to - from));
    CHECK_FALSE(domain->migrate(tags("tags")).empty());
    CHECK(domain->migrate(tags("tags")).empty());
    write(*domain, "a");
    CHECK(place.one("select count(*) from narrow.tags") == "1");
    place.query("drop schema narrow cascade");
}

TEST_CASE("a login that may not drop schemas removes all that a shadow holds, and its schema stays for the next one") {
    PostgresPlace place;
    postgres().query("drop role if exists tenant; create role tenant login password 'secret'", "postgres");
    const std::string shadow_schema = shadow_schema_name("lent");
    for (const std::string &schema : {std::string("lent"), shadow_schema}) { // as an administrator makes them for it
        postgres().query("drop role if exists weir_" + schema + "; create role weir_" + schema + " nologin; grant weir_" + schema +
                             " to tenant",
                         "postgres");
        place.query("create schema " + schema + " authorization tenant");
    }
    const auto things = [&] { // tables, views, indexes, sequences
        return place.one("select count(*) from pg_class where relnamespace = '" + shadow_schema + "'::regnamespace");
    };
    const auto store = open_postgresql_store(options_of(place, "tenant"));
    const auto live = store->domain("lent");
    live->migrate(tags("tags"));
    write(*live, "a");
    for (int time = 0; time < 2; ++time) {
        const auto shadow = store->domain(shadow_schema);
        CHECK_FALSE(shadow->migrate(tags("tags")).empty());
        write(*shadow, "b");
        CHECK(place.one("select count(*) from " + shadow_schema + ".tags") == "1");
        store->remove_shadow("lent");
        CHECK(things() == "0");
        CHECK_FALSE(store->has_domain(shadow_schema));
        store->remove_shadow("lent"); // there is none
        CHECK(place.one("select count(*) from pg_namespace where nspname = '" + shadow_schema + "'") == "1");
    }
    CHECK(place.one("select count(*) from lent.tags") == "1");
    CHECK(place.one("select count(*) from lent.event_ledger_all") == "0"); // which stands still
    place.query("drop schema lent cascade; drop schema " + shadow_schema + " cascade");
}

TEST_CASE("with roles switched off a domain works with the login's own rights") {
    PostgresPlace place;
    postgres().query("drop role if exists owner; create role owner login password 'secret'", "postgres");
    place.query("grant create on database " + place.database() + " to owner");
    const auto store = open_postgresql_store(options_of(place, "owner", false));
    const auto domain = store->domain("open");
    domain->migrate(tags("tags"));
    write(*domain, "a");
    CHECK(place.one("select count(*) from open.tags") == "1");
    CHECK(place.one("select count(*) from pg_roles where rolname = 'weir_open'") == "0");
    place.query("drop schema open cascade; revoke all on database " + place.database() + " from owner");
}

TEST_CASE("a right that is taken away, and a column that is dropped while sessions are open, are the schema's fault, with what to do") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = store->domain("contract");
    domain->migrate(tags("tags"));
    const auto session = domain->open();
    const std::vector<Key> keys = {{std::string("a")}};
    const std::vector<TableFlush> flush = {created(0, {{std::string("b"), std::int64_t{1}}})};
    write(*domain, "a");
    place.query("revoke insert on contract.tags from weir_contract");
    session->begin({});
    CHECK(refusal_of<SchemaWrong>([&] { session->flush(flush); }).find("grant") != std::string::npos);
    session->rollback();
    domain->migrate(tags("tags")); // gives it back
    transact(*session, [&] { session->flush(flush); });
    place.query("alter table contract.tags drop column uses");
    const std::string message = refusal_of<SchemaWrong>([&] { session->fetch(0, keys); });
    CHECK(message.find("uses") != std::string::npos);
    CHECK(message.find("migrate") != std::string::npos);
    session->rollback();
    CHECK(refusal_of<SchemaWrong>([&] { domain->migrate(tags("tags")); }).find("tags.uses") != std::string::npos);
}

TEST_CASE("a column that changes its type while sessions are open means to run the batch again, and the next one knows it") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = store->domain("contract");
    domain->migrate(tags("tags"));
    write(*domain, "a");
    const auto session = domain->open();
    const std::vector<Key> keys = {{std::string("a")}};
    CHECK(session->fetch(0, keys).front());
    place.query("alter table contract.tags alter column uses type integer");
    try {
        session->fetch(0, keys); // the prepared statement's result has another type now
    } catch (const RunAgain &) {
        session->rollback();
    }
    domain->migrate(tags("tags"));
    CHECK((*domain->open()->fetch(0, keys).front())[1] == Value(std::int64_t{1}));
}
