// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::store::postgresql {

/// Where the database is, and how its connections behave. A url fills in the first part; the configuration keys named here the rest.
struct PostgresqlOptions {
    /// libpq's own parameters (host, port, user, password, dbname, sslmode, ...), values unescaped. [libpq, section 34.1.2]
    std::vector<std::pair<std::string, std::string>> parameters;
    /// The place for messages: the url without the password.
    std::string name;

    std::size_t pool_min = 1;  ///< store.pool.min: connections that stay open when nothing needs them
    std::size_t pool_max = 16; ///< store.pool.max: connections at most, the one that shows who lives left aside
    /// store.roles: whether each domain works as a role of its own, `weir_<schema>`; the login has to be a member of it.
    bool roles = true;

    std::chrono::milliseconds connect_timeout{10'000};              ///< for one address
    std::chrono::milliseconds idle_limit{60'000};                   ///< how long more than pool_min stay open that nobody needs
    std::chrono::milliseconds pool_timeout{10'000};                 ///< how long a session waits for a connection; then Unavailable
    std::chrono::milliseconds statement_timeout{30'000};            ///< the server ends a longer statement: RunAgain
    std::chrono::milliseconds lock_timeout{5'000};                  ///< how long a statement waits for another's lock; then RunAgain
    std::chrono::milliseconds idle_in_transaction_timeout{600'000}; ///< the server ends the session of a host that stands still
    /// How long the client waits for an answer. Longer than the server's own timeouts: where it passes, server or network are gone. A
    /// migration, which may have indexes to build, waits sixty times as long.
    std::chrono::milliseconds reply_timeout{45'000};
};

/// Reads `postgresql://[USER[:PASSWORD]@][HOST[:PORT][,...]][/DATABASE][?PARAMETER=VALUE&...]`; `postgres://` and SQLAlchemy's
/// `postgresql+psycopg://` and its like mean the same. Besides libpq's parameters it takes statement_timeout_ms, lock_timeout_ms,
/// idle_in_transaction_timeout_ms, reply_timeout_ms and pool_timeout_ms.
/// @param out filled in where the url can be read; the parts that are no url's are left alone
/// @return what is wrong, naming the key `store.url` and never the password; nothing where it is right
std::optional<std::string> parse_postgresql_url(std::string_view url, PostgresqlOptions &out);

/// How many connections a store has. [metrics]
struct PoolCounts {
    std::size_t in_use = 0;
    std::size_t idle = 0;
    std::size_t waiting = 0;   ///< threads that wait for one
    std::uint64_t opened = 0;  ///< since the start
    std::uint64_t dropped = 0; ///< of these, broken ones
};

/// The domains of one database. Needs no server to be there: everything throws Unavailable until it is. Thread-safe.
std::unique_ptr<Store> open_postgresql_store(const PostgresqlOptions &options);

/// The counts of a store that `open_postgresql_store` made; zeros for any other. Thread-safe.
PoolCounts pool_counts(const Store &store);

} // namespace weir::store::postgresql
