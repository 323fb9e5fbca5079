// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/redis/redis_broker.hpp"
#include "servers.hpp"
#include "support.hpp"

#include <stdexcept>

namespace weir::test {

/// The adapter's options for a server's url; `parameters` are appended to it.
inline broker::RedisOptions redis_options(const std::string &url, const std::string &parameters = "") {
    broker::RedisOptions options;
    if (const auto problem = broker::parse_redis_url(url + (parameters.empty() ? "" : "?" + parameters), options)) {
        throw std::runtime_error(*problem);
    }
    return options;
}

inline std::unique_ptr<broker::Broker> open_redis(const RedisServer &server, const std::string &parameters = "") {
    return broker::open_redis_broker(redis_options(server.url(), parameters));
}

} // namespace weir::test
