// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/headers.hpp"
#include "http/method.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::http {

/// A name and its value, decoded: of the query, or of the path's pattern.
struct Parameter {
    std::string name;
    std::string value;
};

/// A whole request, as a handler sees it: parsed, within its limits, and matched to a route. It doesn't change while the handler has it.
struct Request {
    Method method = Method::get; ///< HEAD arrives as `get` at routes of GET: the server leaves out the body
    std::string path;            ///< decoded, without dot segments; begins with '/'; holds no NUL and no slash that was written as %2F
    std::vector<std::string> segments;
    std::string query;                      ///< as it was sent, without '?'
    std::vector<Parameter> parameters;      ///< of the query, decoded, in order; '+' is a space
    std::vector<Parameter> path_parameters; ///< of the route's pattern, in order
    Headers headers;
    std::string body;
    std::string remote_address; ///< of the peer of the connection: "127.0.0.1", "::1"; forwarded headers are not believed
    std::uint16_t remote_port = 0;
    bool is_local = false;   ///< the peer is this machine and the Host header names it; behind a proxy that is the proxy's word
    bool authorized = false; ///< the right bearer token, or local where that is enough; routes that are `guarded` are only run with it
    std::string id;          ///< unique, for logs; sent back as X-Request-Id
    std::string_view route;  ///< the pattern that matched, such as "/api/deadletters/{id}"
    std::chrono::steady_clock::time_point deadline; ///< when the server answers 504 in the handler's place

    /// The first parameter of the query with this name.
    std::optional<std::string_view> parameter(std::string_view name) const noexcept;

    /// A parameter of the path; empty where the pattern has none of this name.
    std::string_view path_parameter(std::string_view name) const noexcept;
};

} // namespace weir::http
