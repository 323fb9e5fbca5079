// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

/// Whether a Content-Type ("application/json; charset=utf-8") is one of the types, parameters aside.
bool is_one_of(std::string_view content_type, const std::vector<std::string> &types);

/// Whether an Accept header takes one of the types (RFC 9110, section 12.5.1): the most specific range that fits counts, and q=0 is a no.
bool accepts(std::string_view accept, const std::vector<std::string> &types);

} // namespace weir::http
