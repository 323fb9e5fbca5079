// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::test {

class PostgresServer;

/// A row's columns as text; nothing for NULL.
using Row = std::vector<std::optional<std::string>>;

/// A domain's tables: a SQLite file, or a schema of a PostgreSQL database. Wherever one is asked for, a file's path will do.
struct Database {
    Database(const std::filesystem::path &path) : file(path) {} // NOLINT(google-explicit-constructor)
    Database(PostgresServer &server, const std::string &name, const std::string &schema_name);

    bool is_postgresql() const { return ask != nullptr; }
    std::string name() const;

    std::filesystem::path file;                               ///< of SQLite
    std::string schema;                                       ///< of PostgreSQL
    std::function<std::vector<Row>(const std::string &)> ask; ///< of PostgreSQL: as its administrator, the schema in the search path
};

/// Runs a query on a database that a host may be writing to. Throws where the database or the query is wrong.
std::vector<Row> query(const Database &database, const std::string &sql);

/// The first column of the first row; -1 where the database or the table isn't there yet.
std::int64_t number(const Database &database, const std::string &sql);

/// Two columns, the second a number: what `group by` says.
std::map<std::string, std::int64_t> tally(const Database &database, const std::string &sql);

/// How many events a domain's ledger holds, by outcome.
std::map<std::string, std::int64_t> ledger_outcomes(const Database &database);

/// SQLite's "PRAGMA integrity_check"; PostgreSQL has no such thing and is always "ok".
std::string integrity(const Database &database);

/// Holds a database's write lock, as another program's long transaction would, until it goes.
class WriteLock {
public:
    explicit WriteLock(const std::filesystem::path &file);
    ~WriteLock();
    WriteLock(const WriteLock &) = delete;
    WriteLock &operator=(const WriteLock &) = delete;

private:
    void *database_ = nullptr;
};

} // namespace weir::test
