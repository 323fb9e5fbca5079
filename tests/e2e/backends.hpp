// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "servers.hpp"

#include <memory>
#include <string>
#include <vector>

namespace weir::test {

/// Where a host's topics and state are in a test: on real servers, or in SQLite files of the installation.
struct Backends {
    std::shared_ptr<RedisServer> redis;         ///< null: the embedded broker
    std::shared_ptr<PostgresServer> postgresql; ///< null: the SQLite store

    std::string name() const;
};

/// A Redis of its own, and the PostgreSQL that all tests of a program share (each installation has a database of its own there).
Backends on_servers();
Backends on_redis_and_sqlite();
Backends on_embedded_and_postgresql();

/// The pairs with a server in them.
std::vector<Backends> every_pair_with_servers();

} // namespace weir::test
