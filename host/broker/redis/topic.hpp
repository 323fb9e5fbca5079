// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "connection.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::broker::redis {

inline constexpr std::uint32_t kMostPartitions = 1024;

/// One partition of a topic as it lies on the server.
struct Stream {
    Partition partition;
    std::string key; ///< `topic` itself, or `topic.N`
};

/// The key of a partition of a topic that has several.
std::string partition_key(const std::string &topic, std::uint32_t number);

/// The streams of some topics, by topic and number; a topic without any isn't there. Throws `Misconfigured` where keys are in the way.
std::map<std::string, std::vector<Stream>> find_streams(Connection &connection, std::span<const std::string> topics);
std::vector<Stream> find_streams(Connection &connection, const std::string &topic);

/// Makes the streams 0 to `partitions` - 1 of a topic, all or none, empty; those that are there stay as they are.
void make_streams(Connection &connection, const std::string &topic, std::uint32_t partitions);

/// What tells a stream from one that had its key before it was deleted: a UUID that lies in the stream itself, made where it is missing
/// (docs/decisions/0020). Nothing where the stream isn't there.
std::optional<std::string> incarnation_of(Connection &connection, const std::string &key);

/// The same out of an answer to XINFO GROUPS; nothing where none was made.
std::optional<std::string> incarnation_in(const Reply &groups);

/// A group in an answer to XINFO GROUPS; null where it isn't in it. The one that holds the incarnation is nobody's.
const Reply *find_group(const Reply &groups, std::string_view name);
bool is_marker(const Reply &group);

/// Makes a group that delivers what stands after `position`; nothing: all. False where the group is there, or the stream is not.
bool make_group(Connection &connection, const std::string &key, const std::string &group, std::optional<Position> position);

/// How many entries a group has not been given, from its line in XINFO GROUPS: as the server counts where it can (Redis 7); else counted up
/// to a thousand entries, and estimated beyond that by the time between the ids.
std::uint64_t backlog_of(Connection &connection, const std::string &key, const Reply &group, std::uint64_t length);

} // namespace weir::broker::redis
