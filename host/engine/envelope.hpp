// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/event.hpp"

#include <string>
#include <string_view>

namespace weir::engine {

/// The envelope of an event that a handler emits: its own id and type, the tenant and correlation of the event it follows from, and that
/// event's clock.
/// @param payload_json compact JSON text
std::string make_envelope(const event::Uuid &event_id, const std::string &event_type, const event::Event &cause,
                          std::string_view payload_json);

} // namespace weir::engine
