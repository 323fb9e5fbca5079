// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"
#include "postgresql_places.hpp"
#include "proxy.hpp"
#include "support.hpp"

#include <atomic>
#include <chrono>
#include <thread>

using namespace weir;
using namespace weir::store;
using namespace weir::store::postgresql;
using namespace weir::test;
using namespace std::chrono_literals;

namespace {

void record(Session &session, std::uint64_t number) { session.record(std::vector{LedgerEntry{id_of(number), 1, Outcome::applied}}); }

bool has(Session &session, std::uint64_t number) { return session.decided(std::vector{id_of(number)}).size() == 1; }

/// A domain that is reached through a proxy, and the same without one.
struct Proxied {
    explicit Proxied(std::chrono::milliseconds reply_timeout = 45s)
        : proxy(postgres().port(), TcpProxy::Protocol::postgresql), options(place.options()) {
        for (auto &[key, value] : options.parameters) {
            value = key == "port" ? std::to_string(proxy.port()) : value;
        }
        options.parameters.emplace_back("sslmode", "disable");
        options.parameters.emplace_back("gssencmode", "disable");
        options.reply_timeout = reply_timeout;
        contract_domain(*place.open());
        store = open_postgresql_store(options);
        domain = store->domain("contract");
        domain->migrate(contract_schema());
    }
    bool has_committed(std::uint64_t number) { return has(*place.open()->domain("contract")->open(), number); }

    PostgresPlace place;
    TcpProxy proxy;
    PostgresqlOptions options;
    std::unique_ptr<Store> store;
    std::unique_ptr<DomainStore> domain;
};

void terminate(const PostgresPlace &place) {
    place.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
}

} // namespace

TEST_CASE("a commit whose answer is lost is in doubt, and the ledger tells") {
    Proxied on;
    auto session = on.domain->open();
    on.proxy.arm(Fault::reply_lost);
    session->begin({});
    record(*session, 1);
    CHECK_THROWS_AS(session->commit(), InDoubt);
    session->rollback();
    CHECK(on.proxy.fired(Fault::reply_lost) == 1);
    CHECK(has(*session, 1)); // and the session goes on, on another connection
    on.proxy.arm(Fault::cut_before);
    session->begin({});
    record(*session, 2);
    CHECK_THROWS_AS(session->commit(), InDoubt);
    session->rollback();
    CHECK(on.proxy.fired(Fault::cut_before) == 1);
    CHECK_FALSE(on.has_committed(2));
}

TEST_CASE("a commit that travels with other statements is in doubt as well when the answer is lost") {
    Proxied on;
    auto session = on.domain->open();
    on.proxy.arm(Fault::reply_lost);
    const std::vector<StoredPosition> positions = {{"t", 0, "x", {7, 0}}};
    CHECK_THROWS_AS(session->save_positions(positions), InDoubt); // begin, write, commit in one go
    CHECK(session->positions().size() == 1);
}

TEST_CASE("an answer to a commit that isn't COMMIT is no commit") {
    Proxied on;
    auto session = on.domain->open();
    on.proxy.arm(Fault::rolled_back);
    session->begin({});
    record(*session, 1);
    CHECK_THROWS_AS(session->commit(), InDoubt);
    session->rollback();
    CHECK(on.proxy.fired(Fault::rolled_back) == 1);
    CHECK_FALSE(has(*session, 1));
    on.proxy.arm(Fault::refused);
    session->begin({});
    record(*session, 1);
    CHECK_THROWS_AS(session->commit(), RunAgain);
    session->rollback();
    CHECK_FALSE(has(*session, 1));
    transact(*session, [&] { record(*session, 1); });
    CHECK(has(*session, 1));
}

TEST_CASE("a network that stalls is noticed by the client itself, in every kind of statement") {
    Proxied on(3s);
    auto session = on.domain->open();
    CHECK_FALSE(has(*session, 1));
    on.proxy.stall();
    CHECK_THROWS_AS(has(*session, 1), Unavailable); // the pipeline
    on.proxy.resume();
    session->rollback();
    CHECK(eventually([&] {
        try {
            return session->positions().empty();
        } catch (const Unavailable &) {
            return false;
        }
    }));
    session->begin({});
    CHECK_FALSE(has(*session, 1));
    on.proxy.stall(Way::to_client);
    CHECK_THROWS_AS(session->positions(), Unavailable); // SOCI
    session->rollback();
    on.proxy.resume();
    session->begin({});
    record(*session, 1);
    on.proxy.stall(Way::to_client);
    CHECK_THROWS_AS(session->commit(), InDoubt);
    session->rollback();
    on.proxy.resume();
    CHECK(eventually([&] { return on.has_committed(1); }));
}

TEST_CASE("connections that are cut or half-closed are an outage in a transaction, in doubt at its end, and else replaced") {
    Proxied on;
    enum class Harm { cut, half_close_to_server, half_close_to_client };
    const Harm kind = GENERATE(Harm::cut, Harm::half_close_to_server, Harm::half_close_to_client);
    CAPTURE(static_cast<int>(kind));
    const auto harm = [&] {
        kind == Harm::cut ? on.proxy.cut() : on.proxy.half_close(kind == Harm::half_close_to_server ? Way::to_server : Way::to_client);
    };
    auto session = on.domain->open();
    transact(*session, [&] { record(*session, 1); });
    harm();
    CHECK(has(*session, 1)); // nothing was under way: nobody notices
    session->begin({});
    record(*session, 2);
    CHECK_FALSE(has(*session, 3)); // so that it is at the server
    harm();
    CHECK_THROWS_AS(has(*session, 3), Unavailable);
    session->rollback();
    CHECK_FALSE(has(*session, 2));
    session->begin({});
    record(*session, 4);
    CHECK_FALSE(has(*session, 5));
    harm();
    CHECK_THROWS_AS(session->commit(), InDoubt);
    session->rollback();
    if (kind == Harm::half_close_to_client) { // it still came there
        CHECK(eventually([&] { return has(*session, 4); }));
    } else {
        CHECK_FALSE(has(*session, 4));
        transact(*session, [&] { record(*session, 4); });
    }
    CHECK(on.has_committed(4));
}

TEST_CASE("a connection that the server has ended while it was idle is replaced without anybody's noticing") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    auto session = domain->open();
    transact(*session, [&] { record(*session, 1); });
    for (int i = 0; i < 3; ++i) {
        terminate(place);
        CHECK(has(*session, 1));
    }
    CHECK(pool_counts(*store).dropped >= 3);
}

TEST_CASE("a connection that is lost in a transaction is an outage: nothing of it is committed, and the session goes on") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    auto session = domain->open();
    session->begin({});
    record(*session, 1);
    terminate(place);
    CHECK_THROWS_AS(record(*session, 2), Unavailable);
    session->rollback();
    CHECK_FALSE(has(*session, 1));
    transact(*session, [&] { record(*session, 1); });
    CHECK(has(*session, 1));
}

TEST_CASE("a server that is stopped and started again is waited for, and all is as it was") {
    PostgresServer server;
    const auto store = open_postgresql_store(options_for(server.url()));
    const auto domain = contract_domain(*store);
    auto session = domain->open();
    transact(*session, [&] { record(*session, 1); });
    server.kill();
    CHECK_THROWS_AS(has(*session, 1), Unavailable);
    session->rollback();
    CHECK_THROWS_AS(domain->migrate(contract_schema()), Unavailable);
    CHECK_THROWS_AS(store->guarantee(), Unavailable);
    server.start();
    CHECK(has(*session, 1));
    CHECK(domain->migrate(contract_schema()).empty());
}

TEST_CASE("a database that takes no writes is waited for") {
    PostgresPlace place;
    contract_domain(*place.open());
    place.query("alter database " + place.database() + " set default_transaction_read_only = on");
    const auto store = place.open();
    auto session = store->domain("contract")->open();
    session->begin({});
    CHECK(refusal_of<Unavailable>([&] { record(*session, 1); }).find("target_session_attrs") != std::string::npos);
    session->rollback();
    CHECK_FALSE(has(*session, 1));
}

TEST_CASE("who waits too long for a row that another transaction holds runs again, and so does a statement that takes too long") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    auto a = domain->open();
    PostgresqlOptions options = place.options();
    options.lock_timeout = 200ms;
    const auto impatient = open_postgresql_store(options);
    const auto impatient_domain = contract_domain(*impatient);
    auto b = impatient_domain->open();
    const std::vector<TableFlush> flush = {created(people::kTable, {person("ada", Value(), 1)})};
    transact(*a, [&] { a->flush(flush); });
    const std::vector<Key> keys = {{std::string("ada")}};
    a->begin({});
    CHECK(a->fetch(people::kTable, keys).front());
    b->begin({});
    CHECK_THROWS_AS(b->fetch(people::kTable, keys), RunAgain);
    b->rollback();
    options.lock_timeout = 60s;
    options.statement_timeout = 1s;
    const auto hasty = open_postgresql_store(options);
    const auto hasty_domain = contract_domain(*hasty);
    auto c = hasty_domain->open();
    c->begin({});
    CHECK_THROWS_AS(c->fetch(people::kTable, keys), RunAgain);
    c->rollback();
    a->rollback();
    CHECK(c->fetch(people::kTable, keys).front());
}

TEST_CASE("two batches that lock each other's rows don't wait for ever: one of them runs again") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    {
        auto session = domain->open();
        const std::vector<TableFlush> flush = {created(people::kTable, {person("ada", Value(), 1), person("bob", Value(), 1)})};
        transact(*session, [&] { session->flush(flush); });
    }
    std::atomic<int> begun{0};
    std::atomic<int> again{0};
    const auto work = [&](const std::string &first, const std::string &second) {
        auto session = domain->open();
        session->begin({});
        session->fetch(people::kTable, std::vector<Key>{{first}});
        ++begun;
        eventually([&] { return begun == 2; });
        try {
            session->fetch(people::kTable, std::vector<Key>{{second}});
            session->commit();
        } catch (const RunAgain &) {
            ++again;
            session->rollback();
        }
    };
    std::thread other(work, "bob", "ada");
    work("ada", "bob");
    other.join();
    CHECK(again == 1);
}

TEST_CASE("a host that stands still in a transaction loses it, and its locks with it") {
    PostgresPlace place;
    PostgresqlOptions options = place.options();
    options.idle_in_transaction_timeout = 2s;
    const auto store = open_postgresql_store(options);
    const auto domain = contract_domain(*store);
    auto session = domain->open();
    session->begin({});
    record(*session, 1);
    CHECK(eventually([&] { return place.one("select count(*) from pg_stat_activity where state = 'idle in transaction'") == "0"; }));
    CHECK_THROWS_AS(record(*session, 2), Unavailable);
    session->rollback();
    CHECK_FALSE(has(*session, 1));
}

TEST_CASE("more sessions than store.pool.max wait for each other, are counted, and are told the key when it takes too long") {
    PostgresPlace place;
    PostgresqlOptions options = place.options();
    options.pool_max = 2;
    options.pool_timeout = 100ms;
    const auto store = open_postgresql_store(options);
    const auto domain = contract_domain(*store);
    auto a = domain->open();
    auto b = domain->open();
    auto c = domain->open(); // an idle session needs no connection
    CHECK(pool_counts(*store).in_use == 0);
    a->begin({});
    b->begin({});
    CHECK(pool_counts(*store).in_use == 2);
    CHECK(refusal_of<Unavailable>([&] { c->begin({}); }).find("store.pool.max") != std::string::npos);
    a->commit();
    transact(*c, [&] { record(*c, 1); });
    b->rollback();
    const PoolCounts counts = pool_counts(*store);
    CHECK(counts.in_use == 0);
    CHECK(counts.idle >= 1);
    CHECK(counts.waiting == 0);
    CHECK(counts.opened <= 2);
}

TEST_CASE("many threads through few connections lose nothing") {
    PostgresPlace place;
    PostgresqlOptions options = place.options();
    options.pool_max = 3;
    options.pool_timeout = 60s;
    const auto store = open_postgresql_store(options);
    const auto domain = contract_domain(*store);
    std::vector<std::thread> threads;
    std::atomic<int> done{0};
    for (std::uint64_t thread = 0; thread < 8; ++thread) {
        threads.emplace_back([&, thread] {
            auto session = domain->open();
            for (std::uint64_t i = 0; i < 25; ++i) {
                transact(*session, [&] { record(*session, thread * 1000 + i); });
                ++done;
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(done == 200);
    CHECK(domain->open()->ledger_counts().applied == 200);
    CHECK(pool_counts(*store).opened <= 4);
}
