// SPDX-License-Identifier: Apache-2.0
// Servers of other kinds than the one that most tests run: behind TLS, or a standby.
#include "contract_schema.hpp"
#include "postgresql_places.hpp"
#include "support.hpp"

using namespace weir;
using namespace weir::store;
using namespace weir::store::postgresql;
using namespace weir::test;

TEST_CASE(
    "what a url says of TLS is kept: the connection is encrypted, and a certificate that nobody vouches for is refused where it matters") {
    PostgresOptions with_tls;
    with_tls.tls = true;
    PostgresServer server(with_tls);
    const auto opens = [&](const std::string &parameters) {
        const auto store = open_postgresql_store(options_for(server.url() + parameters));
        contract_domain(*store);
    };
    const auto encrypted = [&](const std::string &parameters) {
        const auto store = open_postgresql_store(options_for(server.url() + parameters));
        const auto session = contract_domain(*store)->open();
        session->begin({});
        session->positions();
        const auto rows =
            server.query("select ssl::text from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'weir/contract'");
        session->rollback();
        return rows.size() == 1 && rows[0][0] == "true";
    };
    CHECK(encrypted("?sslmode=require"));
    CHECK_FALSE(encrypted("?sslmode=disable"));
    CHECK(encrypted("?sslmode=verify-full&sslrootcert=" + server.certificate().string()));
    for (const char *parameters : {"?sslmode=verify-full", "?sslmode=verify-ca"}) {
        const std::string said = refusal_of<Unavailable>([&] { opens(parameters); });
        INFO(said);
        CHECK(said.find("store.url") != std::string::npos);
        CHECK(said.find("sslrootcert") != std::string::npos);
        CHECK(said.find(PostgresServer::kPassword) == std::string::npos);
    }
    const std::string plain = refusal_of<Unavailable>([&] { // of a server that speaks none
        PostgresPlace place;
        contract_domain(*open_postgresql_store(options_for(postgres().url(place.database()) + "?sslmode=require")));
    });
    CHECK(plain.find("sslmode") != std::string::npos);
}

TEST_CASE("a hot standby in store.url is an outage that names the key, wherever it is met, and ends when it is promoted") {
    PostgresServer primary;
    PostgresOptions following;
    {
        const auto store = open_postgresql_store(options_for(primary.url()));
        contract_domain(*store);
    }
    following.standby_of = &primary;
    PostgresServer standby(following);
    const auto store = open_postgresql_store(options_for(standby.url()));
    const auto says = [&](const std::string &said) {
        INFO(said);
        CHECK(said.find("store.url") != std::string::npos);
        CHECK(said.find("takes no writes") != std::string::npos);
    };
    says(refusal_of<Unavailable>([&] { store->domain("another")->migrate(contract_schema()); }));
    const auto domain = store->domain("contract");
    std::string at_start; // nothing is to be changed, so that it may pass
    try {
        domain->migrate(contract_schema());
    } catch (const Unavailable &failure) {
        at_start = failure.what();
    }
    if (!at_start.empty()) {
        says(at_start);
    }
    const auto session = domain->open();
    says(refusal_of<Unavailable>([&] { session->acquire_lease("t", 0, "a", std::chrono::seconds(60)); }));
    session->rollback();
    session->begin({});
    says(refusal_of<Unavailable>([&] { session->fetch(people::kTable, std::vector<Key>{{std::string("ada")}}); }));
    session->rollback();
    session->begin({});
    says(refusal_of<Unavailable>([&] { session->record(std::vector{LedgerEntry{id_of(1), 1, Outcome::applied}}); }));
    session->rollback();
    standby.query("select pg_promote(true, 60)");
    domain->migrate(contract_schema());
    const auto promoted = domain->open();
    CHECK(promoted->acquire_lease("t", 0, "a", std::chrono::seconds(60)));
    transact(*promoted, [&] { promoted->record(std::vector{LedgerEntry{id_of(1), 1, Outcome::applied}}); });
    CHECK(promoted->decided(std::vector{id_of(1)}).size() == 1);
}
