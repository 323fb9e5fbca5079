// SPDX-License-Identifier: Apache-2.0
// How many connections stay open.
#include "contract_schema.hpp"
#include "postgresql_places.hpp"
#include "support.hpp"

#include <algorithm>
#include <chrono>

using namespace weir;
using namespace weir::store;
using namespace weir::store::postgresql;
using namespace weir::test;
using namespace std::chrono_literals;

TEST_CASE("connections of a burst that nobody needs any more are closed down to store.pool.min, though each is used now and then") {
    const std::size_t least = GENERATE(0U, 1U, 3U);
    CAPTURE(least);
    PostgresPlace place;
    PostgresqlOptions options = place.options();
    options.pool_min = least;
    options.idle_limit = 300ms;
    const auto store = open_postgresql_store(options);
    const auto domain = contract_domain(*store);
    constexpr std::size_t kBurst = 6;
    const auto burst = [&] {
        std::vector<std::unique_ptr<Session>> sessions;
        for (std::size_t i = 0; i < kBurst; ++i) {
            sessions.push_back(domain->open());
            sessions.back()->begin({});
            sessions.back()->positions();
        }
        for (const auto &session : sessions) {
            session->commit();
        }
    };
    const auto look = [&] { domain->open()->positions(); }; // as a scrape does, but far more often than the limit
    burst();
    REQUIRE(pool_counts(*store).idle == kBurst);
    const std::size_t stay = std::max<std::size_t>(least, 1); // the one that the looks need
    CHECK(eventually([&] {
        look();
        return pool_counts(*store).idle <= stay;
    }));
    const auto end = std::chrono::steady_clock::now() + options.idle_limit * 3;
    while (std::chrono::steady_clock::now() < end) {
        look();
    }
    const PoolCounts counts = pool_counts(*store);
    CHECK(counts.idle == stay);
    CHECK(counts.opened == kBurst); // none was closed that was needed again
    CHECK(counts.dropped == 0);
    CHECK(eventually([&] {
        return place.one("select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and "
                         "backend_type = 'client backend'") == std::to_string(stay);
    }));
}

TEST_CASE("connections that are needed at once every now and then stay open between") {
    PostgresPlace place;
    PostgresqlOptions options = place.options();
    options.idle_limit = 1500ms; // longer than the machine may stand still between two commits
    const auto store = open_postgresql_store(options);
    const auto domain = contract_domain(*store);
    const auto end = std::chrono::steady_clock::now() + options.idle_limit * 2 + 200ms;
    while (std::chrono::steady_clock::now() < end) {
        auto a = domain->open();
        auto b = domain->open();
        a->begin({});
        b->begin({});
        a->positions();
        b->positions();
        a->commit();
        b->commit();
    }
    CHECK(pool_counts(*store).idle == 2);
    CHECK(pool_counts(*store).opened == 2);
}
