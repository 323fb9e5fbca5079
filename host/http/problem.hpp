// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/response.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::http {

/// An error as problem details (RFC 9457). `detail` is for the caller: it names the parameter, header, limit or config key to change, and
/// holds no payload and no internals.
struct Problem {
    int status = 500;
    std::string type = "about:blank"; ///< a URI that is the same for each problem of its kind: "/problems/too-large" or about:blank
    std::string title;                ///< empty: the reason phrase of the status
    std::string detail;
    std::string instance;                                     ///< empty: the server puts the request's path
    std::vector<std::pair<std::string, std::string>> members; ///< further members: name, and value as JSON text
    std::optional<std::chrono::seconds> retry_after;          ///< sent as Retry-After

    /// `application/problem+json`, never cached.
    Response response() const;
};

/// The commonest form, for handlers: `return problem(404, "There is no dead letter with this id");`
Response problem(int status, std::string detail, std::string type = "about:blank");

/// `text` as a JSON string with its quotes; invalid UTF-8 is replaced.
std::string json_string(std::string_view text);

} // namespace weir::http
