// SPDX-License-Identifier: Apache-2.0
// What is left of a session when the server refuses something in the middle.
#include "contract_ledger_support.hpp"
#include "contract_schema.hpp"
#include "postgresql_places.hpp"
#include "support.hpp"

#include <thread>

using namespace weir;
using namespace weir::store;
using namespace weir::store::postgresql;
using namespace weir::test;

namespace {

bool has(Session &session, std::uint64_t number) { return session.decided(std::vector{id_of(number)}).size() == 1; }

DeadLetter letter_of(std::uint64_t number) {
    DeadLetter letter;
    letter.event_id = id_of(number);
    letter.topic = "t";
    return letter;
}

/// A domain that refuses everybody who is older than ninety.
struct Domain {
    Domain() : store(place.open()), domain(contract_domain(*store)), session(domain->open()) {
        place.query("alter table contract.people add check (age <= 90)");
    }
    PostgresPlace place;
    std::unique_ptr<Store> store;
    std::unique_ptr<DomainStore> domain;
    std::unique_ptr<Session> session;
    const std::vector<TableFlush> young = {created(people::kTable, {person("ada", Value(), 30)})};
    const std::vector<TableFlush> old = {created(people::kTable, {person("eve", Value(), 99)})};
    const std::vector<DeadLetter> letters = {letter_of(1)};
};

} // namespace

TEST_CASE("a transaction whose very first statement is refused as data goes on behind its savepoint, and is committed") {
    Domain on;
    on.session->begin({});
    on.session->savepoint(1);
    CHECK_THROWS_AS(on.session->flush(on.old), DataRefused);
    on.session->rollback_to(1);
    on.session->add_dead_letters(on.letters);
    on.session->commit();
    CHECK(on.session->dead_letter(id_of(1)));
    CHECK(on.session->count_rows(people::kTable) == 0);
}

TEST_CASE("a connection lost after the first statement was refused ends the transaction, nothing of it is done outside of one") {
    Domain on;
    on.session->begin({});
    on.session->savepoint(1);
    CHECK_THROWS_AS(on.session->flush(on.old), DataRefused);
    on.place.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
    on.session->add_dead_letters(on.letters);
    CHECK_THROWS_AS(on.session->commit(), Unavailable);
    on.session->rollback();
    CHECK_FALSE(on.session->dead_letter(id_of(1)));
}

TEST_CASE("a first statement that is refused or takes too long costs no connection, and the next batch works") {
    Domain on;
    PostgresqlOptions options = on.place.options();
    options.pool_max = 1;
    options.lock_timeout = std::chrono::milliseconds(100);
    const auto store = open_postgresql_store(options);
    const auto domain = contract_domain(*store);
    const auto session = domain->open();
    for (const bool rolled_back : {true, false}) { // `begin` ends what is open, too
        session->begin({});
        CHECK_THROWS_AS(session->flush(on.old), DataRefused);
        if (rolled_back) {
            session->rollback();
        }
    }
    transact(*on.session, [&] { on.session->flush(on.young); });
    on.session->begin({});
    on.session->fetch(people::kTable, std::vector<Key>{{std::string("ada")}});
    session->begin({});
    CHECK_THROWS_AS(session->fetch(people::kTable, std::vector<Key>{{std::string("ada")}}), RunAgain);
    session->rollback();
    on.session->rollback();
    transact(*session, [&] { session->add_dead_letters(on.letters); });
    CHECK(on.session->dead_letter(id_of(1)));
    CHECK(pool_counts(*store).opened == 1);
    CHECK(pool_counts(*store).dropped == 0);
}

TEST_CASE("a role that is gone is the schema's fault at the first statement, and the session works as soon as it is back") {
    Domain on;
    on.place.query("reassign owned by weir_contract to weir; drop owned by weir_contract; drop role weir_contract");
    on.session->begin({});
    CHECK(refusal_of<SchemaWrong>([&] { has(*on.session, 1); }).find("store.roles") != std::string::npos);
    on.session->rollback();
    const auto opened = pool_counts(*on.store).opened;
    on.domain->migrate(contract_schema());
    transact(*on.session, [&] { on.session->flush(on.young); });
    CHECK(on.session->count_rows(people::kTable) == 1);
    CHECK(pool_counts(*on.store).opened == opened);
}

namespace {

/// A domain with one sealed generation of a hundred ids, and another session's filter of it.
struct Sealed : Domain {
    Sealed() {
        upkeep::record(*session, upkeep::entries(0, 100));
        const auto keeper = domain->open();
        REQUIRE(upkeep::maintain(*keeper, upkeep::policy_of(100)).generations == 1);
        REQUIRE(has(*session, 7));
    }
};

} // namespace

TEST_CASE("a sealed generation that must not be read is the schema's fault, and no reason to run the batch again") {
    Sealed on;
    on.place.query("revoke select on contract.event_ledger_1 from weir_contract");
    CHECK(refusal_of<SchemaWrong>([&] { has(*on.session, 7); }).find("permission denied") != std::string::npos);
    on.session->rollback();
    on.place.query("grant select on contract.event_ledger_1 to weir_contract");
    CHECK(has(*on.session, 7));
}

TEST_CASE("a generation that is pruned while a batch looks for it means to run the batch again, which works then") {
    Sealed on;
    // What pruning does, at the moment in which the batch has been told of the generation and waits for its table.
    std::thread pruning([&] {
        on.place.query(R"(begin; lock table contract.event_ledger_1 in access exclusive mode;
            do $$ begin for i in 1..3000 loop
              exit when exists (select from pg_locks where relation = 'contract.event_ledger_1'::regclass and not granted);
              perform pg_sleep(0.01);
            end loop; end $$;
            delete from contract.event_ledger_generations where generation = 1; drop view contract.event_ledger_all;
            drop table contract.event_ledger_1; commit)");
    });
    CHECK(eventually([&] {
        return on.place.one("select count(*) from pg_locks where mode = 'AccessExclusiveLock' and relation in (select oid from pg_class "
                            "where relname = 'event_ledger_1')") == "1";
    }));
    std::string said;
    try {
        has(*on.session, 7);
        FAIL_CHECK("it was found");
    } catch (const RunAgain &failure) {
        said = failure.what();
    } catch (const std::exception &failure) {
        FAIL_CHECK(failure.what());
    }
    pruning.join();
    CHECK(said.find("pruned") != std::string::npos);
    on.session->rollback();
    CHECK_FALSE(has(*on.session, 7));
}

TEST_CASE("a sealed generation that somebody has dropped by hand is told at the second run, not looked for again for ever") {
    Sealed on;
    on.place.query("drop table contract.event_ledger_1 cascade");
    CHECK_THROWS_AS(has(*on.session, 7), RunAgain); // as far as can be told
    on.session->rollback();
    CHECK(refusal_of<SchemaWrong>([&] { has(*on.session, 7); }).find("event_ledger_1") != std::string::npos);
    on.session->rollback();
    CHECK_THROWS_AS(has(*on.session, 7), SchemaWrong);
}
