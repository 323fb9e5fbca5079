// SPDX-License-Identifier: Apache-2.0
#include "engine_store.hpp"

#include "servers.hpp"
#include "store/postgresql/postgresql_store.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <cstdlib>
#include <stdexcept>

namespace weir::test {

namespace {

PostgresServer &server() {
    static PostgresServer the_server;
    return the_server;
}

std::string last_database;

} // namespace

bool on_postgresql() {
    const char *store = std::getenv("WEIR_TEST_STORE");
    return store && std::string(store) == "postgresql";
}

std::unique_ptr<store::Store> open_test_store(const std::filesystem::path &directory, std::chrono::milliseconds busy_timeout) {
    if (!on_postgresql()) {
        store::sqlite::SqliteOptions options;
        options.directory = directory;
        options.synchronous = store::sqlite::Synchronous::normal;
        options.busy_timeout = busy_timeout;
        return store::sqlite::open_sqlite_store(options);
    }
    last_database = server().create_database();
    return open_test_store_at(test_store_port());
}

std::uint16_t test_store_port() { return server().port(); }

std::unique_ptr<store::Store> open_test_store_at(std::uint16_t port) {
    std::string url = server().url(last_database);
    const std::string own = ":" + std::to_string(server().port()) + "/";
    url.replace(url.rfind(own), own.size(), ":" + std::to_string(port) + "/");
    store::postgresql::PostgresqlOptions options;
    if (const auto wrong = store::postgresql::parse_postgresql_url(url, options)) {
        throw std::runtime_error(*wrong);
    }
    return store::postgresql::open_postgresql_store(options);
}

void run_in_test_store(const std::filesystem::path &directory, const std::string &schema, const std::string &statement) {
    if (on_postgresql()) {
        server().query("set search_path to " + schema + "; " + statement, last_database);
        return;
    }
    const std::string file = (directory / (schema + ".db")).string();
    if (std::system(("sqlite3 -cmd '.timeout 5000' " + file + " \"" + statement + "\"").c_str()) != 0) {
        throw std::runtime_error("sqlite3 refused: " + statement);
    }
}

} // namespace weir::test
