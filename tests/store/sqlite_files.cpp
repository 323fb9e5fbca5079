// SPDX-License-Identifier: Apache-2.0
#include "sqlite_files.hpp"

#include "store/sqlite/sqlite_store.hpp"

#include <sqlite3.h>

namespace weir::test {

std::unique_ptr<store::Store> open_at(const std::filesystem::path &directory) {
    store::sqlite::SqliteOptions options;
    options.directory = directory;
    return store::sqlite::open_sqlite_store(options);
}

void run_sql(const std::filesystem::path &file, const std::string &sql) {
    sqlite3 *database = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &database) == SQLITE_OK);
    char *message = nullptr;
    const int code = sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message);
    INFO((message ? message : ""));
    CHECK(code == SQLITE_OK);
    sqlite3_free(message);
    sqlite3_close(database);
}

std::string one_text(const std::filesystem::path &file, const std::string &sql) {
    sqlite3 *database = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &database) == SQLITE_OK);
    sqlite3_stmt *statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
    std::string text;
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0)) {
        text = reinterpret_cast<const char *>(sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return text;
}

} // namespace weir::test
