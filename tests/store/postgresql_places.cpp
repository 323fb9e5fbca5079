// SPDX-License-Identifier: Apache-2.0
#include "postgresql_places.hpp"

#include "support.hpp"

#include <stdexcept>

namespace weir::test {

PostgresServer &postgres() {
    static PostgresServer server;
    return server;
}

store::postgresql::PostgresqlOptions options_for(const std::string &url) {
    store::postgresql::PostgresqlOptions options;
    if (const auto problem = store::postgresql::parse_postgresql_url(url, options)) {
        throw std::invalid_argument(*problem); // no assertion: stores are opened on other threads too
    }
    return options;
}

PostgresPlace::PostgresPlace() : database_(postgres().create_database()) {}

PostgresPlace::~PostgresPlace() {
    try {
        postgres().query("drop database " + database_ + " with (force)", "postgres");
    } catch (const std::exception &) { // a server that a test has stopped takes it along
    }
}

std::unique_ptr<store::Store> PostgresPlace::open() { return store::postgresql::open_postgresql_store(options()); }

void PostgresPlace::settle() {
    REQUIRE(eventually([&] { // a commit that was sent belongs to a transaction that is open until it is done
        return one("select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> "
                   "'idle'") == "0";
    }));
}

std::string PostgresPlace::one(const std::string &sql) const {
    const auto rows = query(sql);
    return rows.empty() || rows[0].empty() ? "" : rows[0][0].value_or("");
}

} // namespace weir::test
