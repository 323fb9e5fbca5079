// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace weir::http {

/// A strong entity tag of a body, with its quotes: 128 bits of hash and the length. Equal bodies have equal tags, in every process.
std::string entity_tag_of(std::string_view body);

/// Whether an If-None-Match header names the tag, or is "*" (RFC 9110, section 13.1.2: compared weakly).
bool names_tag(std::string_view if_none_match, std::string_view tag);

} // namespace weir::http
