// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/message.hpp"
#include "json_text.hpp"

#include <string>
#include <string_view>

namespace weir::cli {

/// A message in one line for people: time, partition/position, key, body.
std::string message_line(const event::Message &message);

/// A message as JSON. Bytes that are not UTF-8 come as "body_base64" instead of "body".
OrderedJson message_json(const event::Message &message);

/// Adds a dead letter's message: as "raw", or, where it came as flat fields, as "fields": [{"name", "value"}].
void add_message(OrderedJson &object, const event::Message &message);

/// Adds bytes under `name`, or under `name`_base64 where they are not UTF-8.
void add_bytes(OrderedJson &object, const std::string &name, std::string_view bytes);

} // namespace weir::cli
