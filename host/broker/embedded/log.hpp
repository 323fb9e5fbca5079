// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::broker::embedded {

inline constexpr unsigned kOffsetBits = 43;
inline constexpr std::uint64_t kOffsetMask = (std::uint64_t{1} << kOffsetBits) - 1;
inline constexpr std::uint32_t kMaxPartitions = 1024;

/// The key of a message in the table.
inline std::int64_t message_id(std::int64_t stream, std::uint64_t offset) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(stream) << kOffsetBits | offset);
}

struct Topic {
    std::int64_t id = 0;
    std::string name;
    std::string incarnation;
    TopicOptions options;
};

/// A partition as it is kept: offsets `first` up to `next` (not included).
struct Stream {
    std::int64_t id = 0;
    std::uint32_t number = 0;
    std::uint64_t first = 1;
    std::uint64_t next = 1;
    std::uint64_t bytes = 0;
    event::Micros last_at = 0;
};

/// What a message counts against every byte limit; the same as `event::Message::bytes` says of it.
std::size_t size_of(const Outgoing &message);

std::optional<Topic> find_topic(Connection &connection, std::string_view name);
std::vector<Topic> list_topics(Connection &connection);
std::vector<Stream> streams_of(Connection &connection, std::int64_t topic);

/// In a transaction. Throws `Misconfigured` for names and options that can't be.
Topic create_topic(Connection &connection, const std::string &name, const TopicOptions &options);

/// In a transaction: appends in order; the limits are the retention's affair.
void append(Connection &connection, Stream &stream, std::span<const Outgoing *const> messages, event::Micros now);

/// Reads up to `limit` messages from `first` on, `deliveries` times delivered, to the end of `out`.
void load(Connection &connection, const Topic &topic, const Stream &stream, std::uint64_t first, std::uint64_t last,
          std::uint32_t deliveries, std::vector<std::shared_ptr<const Message>> &out);

/// How many messages from `first` to `last` fit; `messages` and `bytes` are what is left and become what is left then. `forced`: the first
/// one fits whatever its size.
std::uint64_t fitting(Connection &connection, std::int64_t stream, std::uint64_t first, std::uint64_t last, std::size_t &messages,
                      std::size_t &bytes, bool forced);

} // namespace weir::broker::embedded
