// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "document.hpp"
#include "event/decoder.hpp"

#include <optional>

namespace weir::event {

/// A message as one JSON value, before it is known what its members mean.
struct Content {
    Node root;
    bool flat = false; ///< made of fields: every value is a text
};

/// Reads a body, a single field `event`, `data`, `payload` or `body` that holds JSON, or else flat fields. A lost message is refused.
/// @param envelope_required a single field must then be JSON, whatever it begins with
/// @param document holds what was read; its source is the message
std::optional<Refusal> read_content(const Message &message, const DecodeLimits &limits, bool envelope_required, Document &document,
                                    Content &out);

} // namespace weir::event
