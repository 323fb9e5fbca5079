// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/binding.hpp"
#include "event/contracts.hpp"
#include "event/event.hpp"

#include <memory>
#include <optional>
#include <string>

namespace weir::event {

struct DecodeLimits {
    std::size_t max_message_bytes = 4u << 20; ///< a larger message is a dead letter of type `message_too_large`
    std::size_t max_depth = 64;               ///< nesting of arrays and objects
};

/// Turns a topic's messages into events. Never throws for what a message holds; readable from any thread.
class Decoder {
public:
    /// @param contracts outlives the decoder
    Decoder(Binding binding, const Contracts &contracts, DecodeLimits limits = {});
    ~Decoder();

    /// Decodes one message. A message that can't be an event comes back with `refusal` set and as much of the rest as could be
    /// read; its id is then its own if that was readable, else UUIDv5(incarnation, "partition/position").
    Event decode(std::shared_ptr<const Message> message) const;

private:
    struct State;
    std::unique_ptr<const State> state_;
};

/// `[a-z0-9_]+(\.[a-z0-9_]+)*\.v[0-9]+`
bool is_event_type(std::string_view text) noexcept;

/// Parses JSON text with a depth limit, for settings and CLI input; nothing and a reason where it is not JSON.
std::shared_ptr<const Json> parse_json(std::string_view text, std::size_t max_depth, std::string &reason);

} // namespace weir::event
