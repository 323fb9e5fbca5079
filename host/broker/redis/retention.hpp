// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

#include <string>

namespace weir::broker::redis {

/// Removes from the beginning of a stream what `max_messages` and `max_age` don't keep: only what every group has been given and has
/// acknowledged, unless `trim_unread` says otherwise. The server removes whole nodes (a hundred entries by default), so some more stay.
void trim(Connection &connection, const std::string &key, const RedisOptions &options);

/// What the server's settings keep through a crash, in a sentence.
std::string describe_guarantee(Connection &connection);

} // namespace weir::broker::redis
