// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::store::sqlite {

/// What a commit waits for. `normal` keeps the database whole through a power cut, but may lose the last commits; a killed process loses
/// nothing with either.
enum class Synchronous { full, normal };

struct SqliteOptions {
    std::filesystem::path directory; ///< one file `<schema>.db` a domain; made with mode 0700 where it is missing
    Synchronous synchronous = Synchronous::full;
    std::chrono::milliseconds busy_timeout{5000}; ///< how long a transaction waits for another's; then RunAgain
};

/// Reads `sqlite://DIRECTORY[?synchronous=full|normal&busy_timeout_ms=N]`. Nothing, and the reason in `reason`, where it is anything else.
std::optional<SqliteOptions> parse_sqlite_url(std::string_view url, std::string &reason);

/// The store of one directory. Touches no file before a domain is migrated or opened. Thread-safe.
std::unique_ptr<Store> open_sqlite_store(const SqliteOptions &options);

} // namespace weir::store::sqlite
