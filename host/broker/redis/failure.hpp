// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/redis/redis_broker.hpp"
#include "reply.hpp"

#include <string_view>

namespace weir::broker::redis {

/// Throws what an error reply means, `Unavailable` or `Misconfigured`, with what to do about it.
/// @param command what was asked, such as "XADD" @param key the stream it was asked of; empty: none
[[noreturn]] void refuse(const RedisOptions &options, std::string_view error, std::string_view command, std::string_view key = {});

/// The reply, where it is no error; throws as `refuse` does.
const Reply &check(const RedisOptions &options, const Reply &reply, std::string_view command, std::string_view key = {});

} // namespace weir::broker::redis
