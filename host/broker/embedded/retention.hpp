// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "log.hpp"

namespace weir::broker::embedded {

/// In a transaction: removes from the beginning of `stream`, one by one and at most `budget` messages, what the topic's limits don't keep
/// and no group waits for. `incoming` bytes are about to be added. `stream` is brought up to date. @return messages removed
std::uint64_t trim(Connection &connection, const Topic &topic, Stream &stream, event::Micros now, std::uint64_t incoming,
                   std::uint64_t budget);

/// The group that waits for the oldest message of a stream; empty where there is none.
std::string slowest_group(Connection &connection, std::int64_t stream);

} // namespace weir::broker::embedded
