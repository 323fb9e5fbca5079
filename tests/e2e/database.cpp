// SPDX-License-Identifier: Apache-2.0
#include "database.hpp"
#include "servers.hpp"

#include <memory>
#include <sqlite3.h>
#include <stdexcept>

namespace weir::test {

namespace {

struct Close {
    void operator()(sqlite3 *database) const { sqlite3_close(database); }
    void operator()(sqlite3_stmt *statement) const { sqlite3_finalize(statement); }
};

[[noreturn]] void fail(const std::filesystem::path &file, sqlite3 *database) {
    throw std::runtime_error(file.string() + ": " + sqlite3_errmsg(database));
}

} // namespace

Database::Database(PostgresServer &server, const std::string &name, const std::string &schema_name)
    : schema(schema_name), ask([&server, name, schema_name](const std::string &sql) {
          return server.query("set search_path to " + schema_name + "; set timezone to 'UTC'; " + sql, name);
      }) {}

std::string Database::name() const { return is_postgresql() ? "PostgreSQL, schema " + schema : file.string(); }

std::vector<Row> query(const Database &place, const std::string &sql) {
    if (place.is_postgresql()) {
        return place.ask(sql);
    }
    const std::filesystem::path &file = place.file;
    sqlite3 *opened = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
    const std::unique_ptr<sqlite3, Close> database(opened);
    if (code != SQLITE_OK) {
        fail(file, opened);
    }
    sqlite3_busy_timeout(opened, 10'000);
    sqlite3_stmt *prepared = nullptr;
    if (sqlite3_prepare_v2(opened, sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) {
        fail(file, opened);
    }
    const std::unique_ptr<sqlite3_stmt, Close> statement(prepared);
    std::vector<Row> rows;
    int step = SQLITE_ROW;
    while ((step = sqlite3_step(prepared)) == SQLITE_ROW) {
        Row row;
        for (int column = 0; column < sqlite3_column_count(prepared); ++column) {
            const void *text = sqlite3_column_blob(prepared, column);
            const int size = sqlite3_column_bytes(prepared, column);
            if (sqlite3_column_type(prepared, column) == SQLITE_NULL) {
                row.emplace_back();
            } else {
                row.emplace_back(std::string(static_cast<const char *>(text), static_cast<std::size_t>(size)));
            }
        }
        rows.push_back(std::move(row));
    }
    if (step != SQLITE_DONE) {
        fail(file, opened);
    }
    return rows;
}

std::int64_t number(const Database &database, const std::string &sql) {
    try {
        const auto rows = query(database, sql);
        return rows.empty() || !rows[0][0] ? -1 : std::stoll(*rows[0][0]);
    } catch (const std::runtime_error &) {
        return -1;
    }
}

std::map<std::string, std::int64_t> tally(const Database &database, const std::string &sql) {
    std::map<std::string, std::int64_t> result;
    for (const Row &row : query(database, sql)) {
        result[row[0].value_or("NULL")] = std::stoll(row[1].value_or("0"));
    }
    return result;
}

std::map<std::string, std::int64_t> ledger_outcomes(const Database &database) {
    return tally(database, "select outcome, count(*) from event_ledger group by outcome");
}

WriteLock::WriteLock(const std::filesystem::path &file) {
    sqlite3 *opened = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
    database_ = opened;
    sqlite3_busy_timeout(opened, 10'000);
    if (code != SQLITE_OK || sqlite3_exec(opened, "begin immediate", nullptr, nullptr, nullptr) != SQLITE_OK) {
        fail(file, opened);
    }
}

WriteLock::~WriteLock() { sqlite3_close(static_cast<sqlite3 *>(database_)); } // which rolls back

std::string integrity(const Database &database) {
    return database.is_postgresql() ? "ok" : query(database, "pragma integrity_check")[0][0].value_or("");
}

} // namespace weir::test
