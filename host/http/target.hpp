// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/request.hpp"

#include <string>
#include <string_view>

namespace weir::http {

/// What a request's target says (RFC 9112, section 3.2), decoded.
struct Target {
    std::string problem;   ///< not empty: why it is refused; the rest means nothing then
    std::string authority; ///< of the absolute form; empty otherwise
    std::string path;
    std::vector<std::string> segments; ///< "/" has none; "/a/" has "a" and ""
    std::string query;
    std::vector<Parameter> parameters;
    bool asterisk = false; ///< "*", of OPTIONS
};

/// Refuses what different readers could understand differently: encoded slashes, backslashes, NUL and control characters, dot segments,
/// broken escapes, bytes that are no UTF-8, fragments.
Target parse_target(std::string_view text);

/// Parameters in `application/x-www-form-urlencoded`; false where an escape is broken, a text holds NUL or is no UTF-8, or there are more
/// than a hundred.
bool parse_query(std::string_view query, std::vector<Parameter> &out);

} // namespace weir::http
