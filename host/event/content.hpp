// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/decoder.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace weir::event {

/// A message as one JSON value, before it is known what its members mean.
struct Content {
    nlohmann::json root;
    bool flat = false; ///< made of fields: every value is a text
};

/// Reads a body, a single field `event`, `data`, `payload` or `body` that holds JSON, or else flat fields. A lost message is refused.
/// @param envelope_required a single field must then be JSON, whatever it begins with
std::optional<Refusal> read_content(const Message &message, const DecodeLimits &limits, bool envelope_required, Content &out);

} // namespace weir::event
