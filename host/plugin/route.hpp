// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weir/http.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::plugin {

/// One route of a plugin, copied and checked; the C++ form of `weir_http_route_v1`.
struct Route {
    std::uint32_t method = WEIR_HTTP_GET;
    std::string path;     ///< pattern: "/users/{user}"
    bool events = false;  ///< a stream of server-sent events
    bool guarded = false; ///< only for whoever the operator trusts
    std::chrono::milliseconds max_age{0};
    std::uint32_t max_body_bytes = 0; ///< 0: the server's limit
    std::string consumes;             ///< media type
    std::string produces;             ///< media type
    std::string content_security_policy;
    std::string summary;
    weir_http_handler_v1 handle = nullptr;
    const void *user = nullptr; ///< the plugin's own
};

/// "GET", ...
std::string_view method_name(std::uint32_t method) noexcept;

/// Method and path with the names of variables left out: two routes that match the same requests have the same text.
std::string route_shape(std::uint32_t method, std::string_view path);

/// "GET /users/{user}", for messages.
std::string route_name(const Route &route);

/// Copies the extension "weir.http/1" of a plugin. @return what is wrong with it, naming the route; nothing where it is right
std::optional<std::string> describe_routes(const weir_http_v1 &from, std::vector<Route> &out);

} // namespace weir::plugin
