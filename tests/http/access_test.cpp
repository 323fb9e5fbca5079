// SPDX-License-Identifier: Apache-2.0
#include "serving.hpp"

#include "http/access.hpp"

using namespace weir::http;
using namespace weir::http::test;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

std::vector<Route> guarded_routes() {
    RouteOptions guarded;
    guarded.access = Access::guarded;
    guarded.consumes = {};
    return {route(
                Method::post, "/change", [](const Request &) { return Response::json(200, "{}"); }, guarded),
            route(Method::get, "/look", [](const Request &) { return Response::json(200, "{}"); })};
}

} // namespace

TEST_CASE("What is guarded is open to this machine, and not to what only looks like it") {
    Serving serving(guarded_routes());
    const auto ask = [&](const Fields &fields) { return http(serving.port, "POST", "/change", "", fields).status; };
    const std::string port = std::to_string(serving.port);
    CHECK(ask({}) == 200);
    CHECK(ask({{"Host", "localhost"}}) == 200);
    CHECK(ask({{"Host", "LocalHost:" + port}}) == 200);
    CHECK(ask({{"Host", "[::1]:" + port}}) == 200);
    CHECK(ask({{"Host", "evil.example"}}) == 403); // DNS rebinding
    CHECK(ask({{"Host", "127.0.0.1.evil.example"}}) == 403);
    CHECK(ask({{"Host", "localhost.evil.example"}}) == 403);
    for (const char *proxy : {"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host", "x-forwarded-proto", "X-Forwarded",
                              "X-Forwarded-Client-Cert", "x-real-ip", "X-Client-IP", "CF-Connecting-IP", "X-Envoy-External-Address"}) {
        INFO(proxy);
        CHECK(ask({{proxy, "127.0.0.1"}}) == 403);
    }
    CHECK(ask({{"Origin", "https://evil.example"}}) == 403);
    CHECK(ask({{"Origin", "null"}}) == 403);
    CHECK(ask({{"Origin", "http://127.0.0.1:" + port}}) == 200);
    CHECK(ask({{"Sec-Fetch-Site", "cross-site"}}) == 403);
    CHECK(ask({{"Sec-Fetch-Site", "same-site"}}) == 403);
    CHECK(ask({{"Sec-Fetch-Site", "same-origin"}}) == 200);
    CHECK(http(serving.port, "GET", "/look", "", {{"Host", "evil.example"}}).status == 200);
    RawClient plain_proxy(serving.port); // one that adds nothing, and speaks the older version to those behind it
    plain_proxy.send("POST /change HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
    CHECK(plain_proxy.answer().status == 403);
}

TEST_CASE("With local trust off this machine is like any other, also when that changes while the server runs") {
    ServerOptions how = options();
    how.listeners[0].trust_local = false;
    Serving serving(guarded_routes(), how);
    const auto ask = [&](const Fields &fields) { return http(serving.port, "POST", "/change", "", fields).status; };
    CHECK(ask({}) == 403);
    CHECK(ask({{"Host", "localhost"}}) == 403);
    CHECK(ask({{"Authorization", "Bearer "}}) == 403);
    how.listeners[0].token = "0123456789abcdef";
    serving.server.reconfigure(how.limits, how.listeners);
    CHECK(ask({}) == 401);
    CHECK(ask({{"Authorization", "Bearer 0123456789abcdef"}}) == 200);
    CHECK(ask({{"Authorization", "Bearer 0123456789abcdef"}, {"X-Forwarded-For", "203.0.113.9"}}) == 200); // the token is what counts
    how.listeners[0].trust_local = true;
    serving.server.reconfigure(how.limits, how.listeners);
    CHECK(ask({}) == 200);
    CHECK(ask({{"X-Forwarded-For", "203.0.113.9"}}) == 401);
}

TEST_CASE("With a token, others may as well; a wrong one is refused even here") {
    ServerOptions how = options();
    how.listeners[0].token = "0123456789abcdef";
    how.listeners[0].trust_local = GENERATE(true, false);
    Serving serving(guarded_routes(), how);
    const auto ask = [&](Fields fields) {
        fields.emplace_back("Host", "weir.example");
        return http(serving.port, "POST", "/change", "", fields);
    };
    CHECK(ask({{"Authorization", "Bearer 0123456789abcdef"}}).status == 200);
    CHECK(ask({{"Authorization", "bearer 0123456789abcdef"}}).status == 200);
    const HttpAnswer without = ask({});
    CHECK(without.status == 401);
    CHECK(without.header("WWW-Authenticate") == "Bearer realm=\"weir\"");
    for (const char *wrong : {"Bearer 0123456789abcdeg", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Bearer ", "Bearer",
                              "Basic 0123456789abcdef", "0123456789abcdef"}) {
        INFO(wrong);
        const HttpAnswer answer = ask({{"Authorization", wrong}});
        CHECK(answer.status == 401);
        CHECK(answer.body.find("0123456789") == std::string::npos);
    }
    CHECK(ask({{"Authorization", "Bearer 0123456789abcdef"}, {"Authorization", "Bearer 0123456789abcdef"}}).status == 401);
    CHECK(http(serving.port, "POST", "/change", "", {{"Authorization", "Bearer wrong-wrong-wrong"}}).status == 401);
    CHECK(http(serving.port, "POST", "/change").status == (how.listeners[0].trust_local ? 200 : 401));
}

TEST_CASE("Without a token none is right, the empty one neither") {
    CHECK_FALSE(same_secret("", ""));
    CHECK_FALSE(same_secret("a", ""));
    CHECK_FALSE(same_secret("", "a"));
    CHECK_FALSE(same_secret("aa", "a"));
    CHECK(same_secret("abc", "abc"));
    Serving serving(guarded_routes());
    CHECK(http(serving.port, "POST", "/change", "", {{"Host", "a.example"}, {"Authorization", "Bearer "}}).status == 403);
}

TEST_CASE("Loopback addresses are those of the protocols and nothing that begins like them") {
    for (const char *address : {"127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"}) {
        CHECK(is_loopback(address));
    }
    for (const char *address : {"", "10.0.0.1", "128.0.0.1", "127.0.0.1.evil", "::2", "::ffff:10.0.0.1", "127", "fe80::1"}) {
        CHECK_FALSE(is_loopback(address));
    }
}

TEST_CASE("Pages of listed origins may read answers, others may not, and there are no wildcards") {
    ServerOptions how = options();
    how.listeners[0].cors_origins = {"https://app.example"};
    Serving serving(some_routes(), how);
    const HttpAnswer listed = http(serving.port, "GET", "/hello/a", "", {{"Origin", "https://app.example"}});
    CHECK(listed.header("Access-Control-Allow-Origin") == "https://app.example");
    CHECK(listed.header("Vary") == "Origin");
    CHECK_FALSE(listed.header("Access-Control-Allow-Credentials"));
    for (const char *origin :
         {"https://evil.example", "http://app.example", "https://app.example.evil", "https://app.example:8443", "null", "*"}) {
        INFO(origin);
        const HttpAnswer other = http(serving.port, "GET", "/hello/a", "", {{"Origin", origin}});
        CHECK_FALSE(other.header("Access-Control-Allow-Origin"));
        CHECK(other.header("Vary") == "Origin");
    }
    const HttpAnswer asked =
        http(serving.port, "OPTIONS", "/echo", "", {{"Origin", "https://app.example"}, {"Access-Control-Request-Method", "POST"}});
    CHECK(asked.status == 204);
    CHECK(asked.header("Access-Control-Allow-Methods") == "POST, OPTIONS");
    CHECK(asked.header("Access-Control-Allow-Headers").value_or("").find("Idempotency-Key") != std::string::npos);
    CHECK(asked.header("Access-Control-Allow-Origin") == "https://app.example");
    const HttpAnswer problem = http(serving.port, "GET", "/none", "", {{"Origin", "https://app.example"}});
    CHECK(problem.header("Access-Control-Allow-Origin") == "https://app.example");
}
