// SPDX-License-Identifier: Apache-2.0
// What happens to a session while another connection holds what it wants.
#include "contract_schema.hpp"
#include "postgresql_places.hpp"
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

constexpr std::size_t kStretch = 500; // of a batch, for whose rows one statement is sent

std::vector<Key> people_keys(std::size_t from, std::size_t to) {
    std::vector<Key> keys;
    for (std::size_t i = from; i < to; ++i) {
        char name[24];
        std::snprintf(name, sizeof name, "p%04zu", i);
        keys.push_back({std::string(name)});
    }
    return keys;
}

/// One more year for everybody, as a batch would do it: its rows are read and locked in two stretches, then written.
void a_year_for(Session &session, const std::vector<Key> &first, const std::vector<Key> &second, std::uint64_t event,
                const std::function<void()> &between) {
    session.begin({});
    TableFlush flush;
    flush.table = people::kTable;
    flush.changed_columns = {people::kAge};
    for (const auto *keys : {&first, &second}) {
        for (auto &row : session.fetch(people::kTable, *keys)) {
            (*row)[people::kAge] = std::get<std::int64_t>((*row)[people::kAge]) + 1;
            flush.changed.push_back(*row);
        }
        if (keys == &first) {
            between();
        }
    }
    const std::vector<TableFlush> flushes = {flush};
    session.flush(flushes);
    session.record(std::vector{LedgerEntry{id_of(event), 1, Outcome::applied}});
    session.commit();
}

/// Holds a lock on a connection of its own until it is told to give it up.
class Holder {
public:
    Holder(const PostgresPlace &place, const std::string &lock)
        : place_(place), thread_([this, lock] {
              place_.query("begin; " + lock +
                           "; create temporary table held (); do $$ begin for i in 1..6000 loop exit when exists (select "
                           "from public.released); perform pg_sleep(0.01); end loop; end $$; commit");
          }) {}
    ~Holder() {
        release();
        thread_.join();
    }
    Holder(const Holder &) = delete;
    Holder &operator=(const Holder &) = delete;

    void release() {
        if (!released_) {
            released_ = true;
            place_.query("insert into public.released values (1)");
        }
    }

private:
    const PostgresPlace &place_;
    bool released_ = false;
    std::thread thread_;
};

std::int64_t waiting_locks(const PostgresPlace &place) { return std::stoll(place.one("select count(*) from pg_locks where not granted")); }

} // namespace

TEST_CASE(
    "of two hosts that lock the same rows in opposite stretches the server ends one, which runs again, and each effect is there once") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    {
        const auto session = domain->open();
        TableFlush all;
        all.table = people::kTable;
        for (const Key &key : people_keys(0, 2 * kStretch)) {
            all.created.push_back(person(std::get<std::string>(key[0]), Value(), 1));
        }
        const std::vector<TableFlush> flush = {all};
        transact(*session, [&] { session->flush(flush); });
    }
    const std::vector<Key> low = people_keys(0, kStretch);
    const std::vector<Key> high = people_keys(kStretch, 2 * kStretch);
    std::atomic<int> inside{0};
    std::atomic<int> again{0};
    std::atomic<int> failed{0};
    std::atomic<bool> was_deadlock{false};
    const auto host = [&](const std::vector<Key> &first, const std::vector<Key> &second, std::uint64_t event) {
        const auto session = place.open()->domain("contract");
        session->migrate(contract_schema());
        const auto own = session->open();
        for (int run = 0; run < 20; ++run) {
            try {
                a_year_for(*own, first, second, event, [&] {
                    ++inside;
                    eventually([&] { return inside >= 2; }); // both hold their first stretch
                });
                return;
            } catch (const RunAgain &failure) {
                was_deadlock = was_deadlock || std::string(failure.what()).find("40P01") != std::string::npos;
                ++again;
                own->rollback();
            } catch (const std::exception &failure) {
                std::fprintf(stderr, "%s\n", failure.what());
                break;
            }
        }
        ++failed;
    };
    std::thread other([&] { host(high, low, 2); });
    host(low, high, 1);
    other.join();
    CHECK(failed == 0);
    CHECK(again >= 1); // who was ended may be quicker again than who waits
    CHECK(was_deadlock);
    CHECK(place.one("select count(*) from contract.people where age = 3") == std::to_string(2 * kStretch));
    CHECK(domain->open()->ledger_counts().applied == 2);
    CHECK(place.one("select count(*) from contract.event_attempts") == "0"); // no attempt is burned
}

TEST_CASE("two hosts that lock the same rows each in one sorted statement wait for each other, and neither runs again") {
    PostgresPlace place;
    const auto store = place.open();
    const auto domain = contract_domain(*store);
    const std::vector<Key> keys = people_keys(0, 2 * kStretch);
    {
        const auto session = domain->open();
        TableFlush all;
        all.table = people::kTable;
        for (std::size_t i = keys.size(); i > 0; --i) { // the table's own order is another
            all.created.push_back(person(std::get<std::string>(keys[i - 1][0]), Value(), 1));
        }
        const std::vector<TableFlush> flush = {all};
        transact(*session, [&] { session->flush(flush); });
    }
    std::atomic<int> again{0};
    const auto host = [&](std::uint64_t from) {
        const auto own = domain->open();
        for (std::uint64_t event = from; event < from + 5; ++event) {
            try {
                a_year_for(*own, keys, {}, event, [] {});
            } catch (const RunAgain &failure) {
                std::fprintf(stderr, "%s\n", failure.what());
                ++again;
                own->rollback();
            }
        }
    };
    std::thread other([&] { host(100); });
    host(1);
    other.join();
    CHECK(again == 0);
    CHECK(place.one("select count(*) from contract.people where age = 11") == std::to_string(2 * kStretch));
}

TEST_CASE("a lease whose row another host's batch holds is given up soon, and can be had when the batch is over") {
    PostgresPlace place;
    PostgresqlOptions options = place.options();
    options.lock_timeout = 60s; // of everything else
    const auto store = open_postgresql_store(options);
    const auto domain = contract_domain(*store);
    const auto a = domain->open();
    const auto b = domain->open();
    const auto lease = a->acquire_lease("t", 0, "a", 1ms);
    REQUIRE(lease);
    a->begin(std::vector{*lease}); // its row is locked now, and expired
    const auto before = std::chrono::steady_clock::now();
    CHECK_FALSE(b->acquire_lease("t", 0, "b", 60s)); // a standby, not an error
    CHECK(std::chrono::steady_clock::now() - before < 30s);
    CHECK(b->acquire_lease("t", 1, "b", 60s)); // the session is of use
    a->commit();
    const auto taken = b->acquire_lease("t", 0, "b", 60s);
    REQUIRE(taken);
    CHECK(taken->epoch > lease->epoch);
}

TEST_CASE("a predecessor's connection that the server hasn't missed yet, as behind a router that forgot it, holds nobody up") {
    PostgresPlace place;
    place.query("create table public.released (n int)");
    PostgresqlOptions options = place.options();
    options.lock_timeout = 60s;
    const auto store = open_postgresql_store(options);
    const auto domain = contract_domain(*store);
    const auto session = domain->open();
    const auto lease = session->acquire_lease("t", 0, "me", 60s);
    REQUIRE(lease);
    // The key under which this holder shows that it lives, taken over by another connection as if it were the old one.
    const std::string key =
        place.one("select (classid::bigint << 32) | objid::bigint from pg_locks where locktype = 'advisory' and granted");
    REQUIRE_FALSE(key.empty());
    place.query("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'");
    REQUIRE(eventually([&] { return place.one("select count(*) from pg_locks where locktype = 'advisory'") == "0"; }));
    {
        Holder holder(place, "select pg_advisory_xact_lock(" + key + ")");
        REQUIRE(eventually([&] { return place.one("select count(*) from pg_locks where locktype = 'advisory' and granted") == "1"; }));
        std::atomic<bool> done{false};
        std::thread host([&] {
            try {
                session->renew_leases(std::vector{*lease}, 60s);
                const auto another = domain->open();
                another->acquire_lease("t", 1, "me", 60s);
                transact(*session, [&] { session->record(std::vector{LedgerEntry{id_of(1), 1, Outcome::applied}}); });
                done = true;
            } catch (const std::exception &failure) {
                std::fprintf(stderr, "%s\n", failure.what());
            }
        });
        CHECK(eventually([&] { return done.load(); }));
        CHECK(waiting_locks(place) == 0);
        holder.release();
        host.join();
    }
    // When the old one is gone at last, the holder shows again that it lives.
    session->renew_leases(std::vector{*lease}, 60s);
    CHECK(place.one("select count(*) from pg_locks where locktype = 'advisory' and granted") == "1");
}
