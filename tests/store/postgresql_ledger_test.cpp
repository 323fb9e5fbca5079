// SPDX-License-Identifier: Apache-2.0
// What a look into a ledger of many generations costs the server.
#include "contract_ledger_support.hpp"
#include "postgresql_places.hpp"
#include "support.hpp"

using namespace weir;
using namespace weir::store;
using namespace weir::test;
using namespace weir::test::upkeep;

namespace {

constexpr int kLooks = 10;

/// How often one of the sealed generations was looked into, by whomever; of sessions that have ended.
int looks(PostgresPlace &place) {
    REQUIRE(eventually(
        [&] {
            return place.one("select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()") == "0";
        },
        std::chrono::seconds(30)));
    return std::stoi(
        place.one(R"(select sum(seq_scan + coalesce(idx_scan, 0)) from pg_stat_user_tables where relname ~ '^event_ledger_[0-9]+$')"));
}

/// The same of what a host does that begins anew and looks for ten ids, ten times.
int looks_for(PostgresPlace &place, std::uint64_t from, std::size_t found) {
    const int before = looks(place);
    {
        const auto store = place.open();
        const auto domain = contract_domain(*store);
        const auto session = domain->open();
        for (int look = 0; look < kLooks; ++look) {
            CHECK(session->decided(ids(from + 10 * static_cast<std::uint64_t>(look), from + 10 * static_cast<std::uint64_t>(look) + 10))
                      .size() == found);
        }
    }
    return looks(place) - before;
}

} // namespace

TEST_CASE(
    "sealed generations that can't hold any of the ids are not looked into, so that a long ledger costs little more than a short one") {
    PostgresPlace place;
    int generations = 0;
    {
        const auto store = place.open();
        const auto domain = contract_domain(*store);
        const auto session = domain->open();
        for (std::uint64_t batch = 0; batch < 20; ++batch) {
            record(*session, entries(batch * 200, batch * 200 + 200));
            generations = static_cast<int>(maintain(*session, policy_of(200)).generations);
        }
    }
    REQUIRE(generations >= 15);
    // A filter lets one in two hundred through that isn't there: 10 ids meet a generation once in twenty looks.
    CHECK(looks_for(place, 1'000'000, 0) < kLooks * generations / 4);
    // These are all in one generation, whose index is asked for each id.
    const int known = looks_for(place, 500, 10);
    CHECK(known >= kLooks);
    CHECK(known < kLooks * 10 * 2);
}
