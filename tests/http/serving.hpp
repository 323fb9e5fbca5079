// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/problem.hpp"
#include "http/server.hpp"
#include "http_client.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::http::test {

using weir::test::http;
using weir::test::HttpAnswer;
using weir::test::RawClient;

inline Route route(Method method, std::string pattern, Handler handler, RouteOptions options = {}) {
    Route one;
    one.method = method;
    one.pattern = std::move(pattern);
    one.handler = std::move(handler);
    one.options = std::move(options);
    one.owner = "a test";
    return one;
}

/// A table that must be right.
inline std::shared_ptr<const Routes> table(std::vector<Route> routes) {
    Routes::Built built = Routes::build(std::move(routes));
    for (const std::string &problem : built.problems) {
        FAIL(problem);
    }
    return built.routes;
}

inline ServerOptions options() {
    ServerOptions some;
    ListenerOptions listener;
    listener.name = "public";
    listener.address = "127.0.0.1:0";
    listener.config_key = "http.listen";
    some.listeners.push_back(listener);
    // A machine may stand still for a while: what a test doesn't ask for never runs out of time.
    constexpr std::uint32_t kLong = 10 * 60 * 1000;
    some.limits.header_timeout_ms = some.limits.body_timeout_ms = some.limits.idle_timeout_ms = kLong;
    some.limits.write_timeout_ms = some.limits.handler_timeout_ms = kLong;
    return some;
}

/// A server on a free port, with its routes.
class Serving {
public:
    explicit Serving(std::vector<Route> routes, ServerOptions how = options()) : server(std::move(how)) {
        server.set_routes("public", table(std::move(routes)));
        server.start();
        port = server.port("public");
    }

    Server server;
    std::uint16_t port = 0;
};

/// What most tests serve: /echo says back what it got, /hello/{name} greets.
inline std::vector<Route> some_routes() {
    RouteOptions any;
    any.consumes = {};
    any.produces = {};
    return {route(
                Method::post, "/echo", [](const Request &request) { return Response::text(200, request.body); }, any),
            route(Method::get, "/hello/{name}",
                  [](const Request &request) { return Response::json(200, json_string(request.path_parameter("name"))); })};
}

inline std::string post(const std::string &target, const std::string &body) {
    return "POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::string get(const std::string &target, const std::string &further = {}) {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + further + "\r\n";
}

} // namespace weir::http::test
