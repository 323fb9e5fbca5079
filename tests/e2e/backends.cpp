// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"

namespace weir::test {

namespace {

std::shared_ptr<PostgresServer> shared_postgresql() {
    static const auto server = std::make_shared<PostgresServer>();
    return server;
}

} // namespace

std::string Backends::name() const { return std::string(redis ? "redis" : "embedded") + " and " + (postgresql ? "postgresql" : "sqlite"); }

Backends on_servers() { return {std::make_shared<RedisServer>(), shared_postgresql()}; }
Backends on_redis_and_sqlite() { return {std::make_shared<RedisServer>(), nullptr}; }
Backends on_embedded_and_postgresql() { return {nullptr, shared_postgresql()}; }

std::vector<Backends> every_pair_with_servers() { return {on_servers(), on_redis_and_sqlite(), on_embedded_and_postgresql()}; }

} // namespace weir::test
