// SPDX-License-Identifier: Apache-2.0
#include "sqlite_files.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "store_contract.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::test;

namespace {

class SqlitePlace final : public StorePlace {
public:
    std::unique_ptr<store::Store> open() override {
        store::sqlite::SqliteOptions options;
        options.directory = directory_ / "store";
        return store::sqlite::open_sqlite_store(options);
    }
    void as_another(const std::string &schema, const std::string &sql) override { run_sql(file(schema), sql); }
    std::string ask(const std::string &schema, const std::string &sql) override { return one_text(file(schema), sql); }

private:
    std::filesystem::path file(const std::string &schema) const { return directory_ / ("store/" + schema + ".db"); }

    TemporaryDirectory directory_;
};

void keep(const std::vector<Promise> &promises) {
    for (const Promise &promise : promises) {
        DYNAMIC_SECTION(promise.sentence) {
            SqlitePlace place;
            promise.check(place);
        }
    }
}

} // namespace

TEST_CASE("SQLite keeps the contract of rows") { keep(row_promises()); }
TEST_CASE("SQLite keeps the contract of flushes") { keep(flush_promises()); }
TEST_CASE("SQLite keeps the contract of scans") { keep(scan_promises()); }
TEST_CASE("SQLite keeps the contract of the ledger, positions, attempts and the outbox") { keep(ledger_promises()); }
TEST_CASE("SQLite keeps the contract of a ledger that is kept small") { keep(ledger_upkeep_promises()); }
TEST_CASE("SQLite keeps the contract of leases") { keep(lease_promises()); }
TEST_CASE("SQLite keeps the contract of dead letters") { keep(dead_letter_promises()); }
TEST_CASE("SQLite keeps the contract of transactions") { keep(transaction_promises()); }
TEST_CASE("SQLite keeps the contract of migrations") { keep(migration_promises()); }
TEST_CASE("SQLite keeps the contract of crashes") { keep(crash_promises()); }
TEST_CASE("SQLite keeps the contract of replacements") { keep(replacement_promises()); }
