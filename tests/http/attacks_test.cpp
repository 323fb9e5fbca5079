// SPDX-License-Identifier: Apache-2.0
#include "serving.hpp"

#include "http/parser.hpp"

#include <utility>

using namespace weir::http;
using namespace weir::http::test;

namespace {

HttpAnswer send(std::uint16_t port, const std::string &bytes) {
    RawClient client(port);
    client.send(bytes);
    return client.answer();
}

} // namespace

TEST_CASE("What is no request is refused and the connection closed") {
    Serving serving(some_routes());
    const std::vector<std::pair<std::string, int>> cases{
        {"NONSENSE\r\n\r\n", 400},
        {"GET /hello/a\r\n\r\n", 400},
        {"GET  /hello/a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /hello/a HTTP/1.1\r\n\r\n", 400},                       // no Host
        {"GET /hello/a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400}, // two
        {"GET /hello/a HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},          // none
        {"GET /hello/a HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"GET /hello/a HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"GET /hello/a HTTP/1.1\r\nHost : a\r\n\r\n", 400}, // blank before the colon
        {"GET /hello/a HTTP/1.1\r\nHost: a\r\nX-A: b\x01\r\n\r\n", 400},
        {"GET /hello/a HTTP/1.1\nHost: a\n\n", 505},                       // bare line feeds
        {"GET /hello/a HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n", 400}, // folded
        {"GET /hello/a HTTP/1.1\r\nHost: a\r\nX-A:\r\n\tb\r\n\r\n", 400},
        {"GET /hello/a HTTP/1.1\r\nHost: a\r\n X-A: b\r\n\r\n", 400},
        {"GET /hello/a HTTP/1.1\r\n Host: a\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400},
        {"GET http:///hello/a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET ftp://a/hello/a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"get /hello/a HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    };
    for (const auto &[bytes, status] : cases) {
        INFO(bytes);
        RawClient client(serving.port);
        client.send(bytes);
        const HttpAnswer answer = client.answer();
        CHECK(answer.status == status);
        CHECK(answer.header("Content-Type") == "application/problem+json");
        CHECK(client.closed_within(std::chrono::seconds(20)));
    }
    CHECK(send(serving.port, "GET http://other.example/hello/a HTTP/1.1\r\nHost: a\r\n\r\n").status == 200);
}

TEST_CASE("A folded header field is refused wherever the packets are cut") {
    const std::string bytes = "GET /hello/a HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c: d\r\n\r\n";
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
        INFO(cut);
        RequestParser parser(16384);
        std::string first = bytes.substr(0, cut);
        first.erase(0, parser.feed(first));
        if (parser.stage() == RequestParser::Stage::header) {
            parser.feed(first + bytes.substr(cut));
        }
        CHECK(parser.stage() == RequestParser::Stage::refused);
        CHECK(parser.refusal().status == 400);
    }
}

TEST_CASE("Requests that two readers could frame differently are refused") {
    Serving serving(some_routes());
    const std::string start = "POST /echo HTTP/1.1\r\nHost: a\r\n";
    const std::vector<std::pair<std::string, int>> cases{
        {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400},
        {"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
        {"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
        {"Content-Length: 3, 3\r\n\r\nabc", 400},
        {"Content-Length: +3\r\n\r\nabc", 400},
        {"Content-Length: -1\r\n\r\n", 400},
        {"Content-Length: 0x3\r\n\r\nabc", 400},
        {"Content-Length: 3a\r\n\r\nabc", 400},
        {"Content-Length:\r\n\r\n", 400},
        {"Content-Length: 99999999999999999999\r\n\r\n", 400},
        {"Transfer-Encoding: gzip\r\n\r\n", 501},
        {"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        {"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
        {"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", 400},
        {"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n", 400},
        {"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400},
        {"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400},
        {"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400},
    };
    for (const auto &[rest, status] : cases) {
        INFO(rest);
        RawClient client(serving.port);
        client.send(start + rest);
        CHECK(client.answer().status == status);
        CHECK(client.closed_within(std::chrono::seconds(20)));
    }
    CHECK(send(serving.port, "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").status == 400);
    CHECK(send(serving.port, start + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(6000, 'x')).status == 400);
}

TEST_CASE("No path leads out of what is served") {
    RouteOptions any;
    Serving serving({route(Method::get, "/files/{path...}",
                           [](const Request &request) { return Response::json(200, json_string(request.path_parameter("path"))); }),
                     route(Method::get, "/one/{name}",
                           [](const Request &request) { return Response::json(200, json_string(request.path_parameter("name"))); })});
    for (const char *target :
         {"/files/../secret", "/files/%2e%2e/secret", "/files/..%2fsecret", "/files/%2E./x", "/files/a%2fb", "/files/a%5cb",
          "/files/a\\b",      "/files/a%00b",         "/files/%0d%0aX:y",   "/files/a%",     "/files/a%4",   "/files/a%zz",
          "/files/%ff",       "/files/%c0%af",        "/files/./a",         "/files/%7f",    "/../files/a",  "/files/a#b",
          "/files/a?x=%",     "/files/a?x=%ff",       "/files/a?x=%00",     "/files/a?%00=x"}) {
        INFO(target);
        CHECK(http(serving.port, "GET", target).status == 400);
    }
    CHECK(http(serving.port, "GET", "/files/a/b%20c/%C3%A9").body == "\"a/b c/\xC3\xA9\"");
    CHECK(http(serving.port, "GET", "/files/...").body == "\"...\"");
    CHECK(http(serving.port, "GET", "/files").body == "\"\"");
    CHECK(http(serving.port, "GET", "/one//").status == 404);
    CHECK(http(serving.port, "GET", "/one/").status == 404);
    CHECK(http(serving.port, "GET", "//one/a").status == 404);
    CHECK(http(serving.port, "GET", "/one/a%25b").body == "\"a%b\"");
}

TEST_CASE("What a handler puts into a header can't end the line, and it can't frame the answer itself") {
    bool taken = true;
    Serving serving({route(Method::get, "/x", [&](const Request &) {
        Response response = Response::json(200, "{}");
        taken = response.headers.add("X-A", "a\r\nSet-Cookie: b=c") || response.headers.add("X-B", "a\nb") ||
                response.headers.add("X-C", std::string("a\0b", 3)) || response.headers.add("X-D: e\r\nX", "f") ||
                response.headers.add("", "g") || response.headers.set("X-E", "\x7f");
        response.headers.add("Content-Length", "1000");
        response.headers.add("Transfer-Encoding", "chunked");
        response.headers.add("Connection", "close");
        response.headers.add("X-Good", "caf\xC3\xA9");
        return response;
    })});
    RawClient client(serving.port);
    client.send(get("/x"));
    const HttpAnswer answer = client.answer();
    CHECK_FALSE(taken);
    CHECK(answer.body == "{}");
    CHECK(answer.header("Content-Length") == "2");
    CHECK_FALSE(answer.header("Transfer-Encoding"));
    CHECK_FALSE(answer.header("Set-Cookie"));
    CHECK(answer.header("X-Good") == "caf\xC3\xA9");
    client.send(get("/x"));
    CHECK(client.answer().status == 200);
}
