// SPDX-License-Identifier: Apache-2.0
#include "postgresql_places.hpp"

using namespace weir::test;

namespace {

void keep(const std::vector<Promise> &promises) {
    for (const Promise &promise : promises) {
        DYNAMIC_SECTION(promise.sentence) {
            PostgresPlace place;
            promise.check(place);
        }
    }
}

} // namespace

TEST_CASE("PostgreSQL keeps the contract of rows") { keep(row_promises()); }
TEST_CASE("PostgreSQL keeps the contract of flushes") { keep(flush_promises()); }
TEST_CASE("PostgreSQL keeps the contract of scans") { keep(scan_promises()); }
TEST_CASE("PostgreSQL keeps the contract of the ledger, positions, attempts and the outbox") { keep(ledger_promises()); }
TEST_CASE("PostgreSQL keeps the contract of a ledger that is kept small") { keep(ledger_upkeep_promises()); }
TEST_CASE("PostgreSQL keeps the contract of leases") { keep(lease_promises()); }
TEST_CASE("PostgreSQL keeps the contract of dead letters") { keep(dead_letter_promises()); }
TEST_CASE("PostgreSQL keeps the contract of transactions") { keep(transaction_promises()); }
TEST_CASE("PostgreSQL keeps the contract of migrations") { keep(migration_promises()); }
TEST_CASE("PostgreSQL keeps the contract of crashes") { keep(crash_promises()); }
TEST_CASE("PostgreSQL keeps the contract of replacements") { keep(replacement_promises()); }
