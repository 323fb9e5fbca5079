// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/redis/redis_broker.hpp"
#include "health/finding.hpp"

#include <string>
#include <vector>

namespace weir::broker {

/// What there is to say of a Redis as a place for topics: reachable, recent enough, a master, durable, not evicting, its clock, the rights
/// of the login on these topics. Changes nothing. For `weir doctor`; never throws for what the server says.
std::vector<health::Finding> examine_redis(const RedisOptions &options, const std::vector<std::string> &topics);

} // namespace weir::broker
