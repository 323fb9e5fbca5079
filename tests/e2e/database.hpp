// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::test {

/// A row's columns as text; nothing for NULL.
using Row = std::vector<std::optional<std::string>>;

/// Runs a query on a database that a host may be writing to. Throws where the file or the query is wrong.
std::vector<Row> query(const std::filesystem::path &file, const std::string &sql);

/// The first column of the first row; -1 where the database or the table isn't there yet.
std::int64_t number(const std::filesystem::path &file, const std::string &sql);

/// Two columns, the second a number: what `group by` says.
std::map<std::string, std::int64_t> tally(const std::filesystem::path &file, const std::string &sql);

/// How many events a domain's ledger holds, by outcome.
std::map<std::string, std::int64_t> ledger_outcomes(const std::filesystem::path &file);

/// "PRAGMA integrity_check".
std::string integrity(const std::filesystem::path &file);

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
