// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string_view>

namespace weir::event {

/// Parses JSON as machines mostly write it: ASCII without escapes, whole numbers, no member twice, no deeper than `max_depth`. Says no to
/// anything else, right or wrong: the parser of all JSON decides then. It takes half of that one's time.
/// @return whether `out` is what the other would have made of it; of no use otherwise
bool parse_plain_document(std::string_view text, std::size_t max_depth, nlohmann::json &out);

} // namespace weir::event
