// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "connection.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::broker::redis {

/// An entry's id as the server writes it: "MILLISECONDS-SEQUENCE".
std::string id_of(const Position &position);
std::optional<Position> parse_id(std::string_view text);
/// The ids next to one, as far as there are any.
Position before(Position position);
Position after(Position position);

/// What all messages of a stream have in common.
struct Origin {
    Partition partition;
    std::string incarnation;
};

/// Adds the XADD that writes a message: field `event` with the body, `key` where it has one, `header:NAME` for each header. Makes no
/// stream.
/// @param keep 0, or about how many entries the stream keeps, whoever waits for them
void add_entry(Commands &commands, std::string_view stream, const Outgoing &message, std::uint64_t keep);

/// Reads an entry, `[id, [field, value, ...]]`; one whose fields are gone becomes a lost message. docs/redis.md says what is read out of
/// which fields. Nothing where it is no entry.
std::shared_ptr<Message> read_entry(const Origin &origin, const Reply &entry, std::uint32_t deliveries);

/// A message that the stream no longer holds, although the group still waits for it.
std::shared_ptr<Message> lost_message(const Origin &origin, Position position, std::uint32_t deliveries);

} // namespace weir::broker::redis
