// SPDX-License-Identifier: Apache-2.0
#include "serving.hpp"

#include "support.hpp"

#include <atomic>
#include <future>
#include <set>
#include <thread>

using namespace weir::http;
using namespace weir::http::test;
using weir::test::eventually;

TEST_CASE("A connection goes on after an answer, and ends where the client asks for it") {
    Serving serving(some_routes());
    RawClient client(serving.port);
    client.send(post("/echo", "one"));
    REQUIRE(client.answer().body == "one");
    client.send(get("/hello/you", "Connection: close\r\n"));
    const HttpAnswer last = client.answer();
    REQUIRE(last.body == "\"you\"");
    REQUIRE(last.header("Connection") == "close");
    REQUIRE(client.closed_within(std::chrono::seconds(10)));
}

TEST_CASE("HTTP/1.0 ends with its answer, unless the client asks to go on") {
    Serving serving(some_routes());
    RawClient once(serving.port);
    once.send("GET /hello/a HTTP/1.0\r\n\r\n");
    REQUIRE(once.answer().status == 200);
    REQUIRE(once.closed_within(std::chrono::seconds(10)));
    RawClient more(serving.port);
    for (int count = 0; count < 3; ++count) {
        more.send("GET /hello/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        const HttpAnswer answer = more.answer();
        REQUIRE(answer.status == 200);
        REQUIRE(answer.header("Connection") == "keep-alive");
    }
}

TEST_CASE("Requests that are sent ahead are answered in their order, however they are cut into packets") {
    Serving serving(some_routes());
    std::string all;
    constexpr int kRequests = 500;
    for (int count = 0; count < kRequests; ++count) {
        all += count % 3 == 0 ? get("/hello/" + std::to_string(count)) : post("/echo", "\"" + std::to_string(count) + "\"");
    }
    const auto part = GENERATE(std::size_t(7), std::size_t(1000), std::size_t(1) << 20);
    RawClient client(serving.port);
    std::thread sender([&] {
        for (std::size_t at = 0; at < all.size(); at += part) {
            client.send(std::string_view(all).substr(at, part));
        }
    });
    for (int count = 0; count < kRequests; ++count) {
        const HttpAnswer answer = client.answer();
        CHECK(answer.status == 200);
        if (answer.body != "\"" + std::to_string(count) + "\"") {
            CHECK(answer.body == "\"" + std::to_string(count) + "\"");
            break;
        }
    }
    sender.join();
}

TEST_CASE("Long answers to requests that are sent ahead are whole before the next one begins, whatever answers it") {
    std::vector<Route> routes = some_routes();
    RouteOptions at_once;
    at_once.produces = {};
    at_once.runs = Runs::at_once;
    const Handler letters = [](const Request &request) {
        return Response::text(200, std::string(20'000, request.path_parameter("letter").front()));
    };
    routes.push_back(route(Method::get, "/at-once/{letter}", letters, at_once));
    RouteOptions worker;
    worker.produces = {};
    routes.push_back(route(Method::get, "/later/{letter}", letters, worker));
    Serving serving(std::move(routes));
    const std::string kind = GENERATE(std::string("/at-once/"), std::string("/later/"));
    CAPTURE(kind);
    constexpr int kRounds = 20;
    std::string all;
    for (int count = 0; count < kRounds; ++count) {
        all += get(kind + "a") + get(kind + "b") + get("/nowhere") + get("/hello/you") + get(kind + "c");
    }
    RawClient client(serving.port);
    REQUIRE(client.send(all + "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
    for (int count = 0; count < kRounds; ++count) {
        REQUIRE((client.answer().body == std::string(20'000, 'a')));
        REQUIRE((client.answer().body == std::string(20'000, 'b')));
        REQUIRE(client.answer().status == 404);
        REQUIRE(client.answer().body == "\"you\"");
        REQUIRE((client.answer().body == std::string(20'000, 'c')));
    }
    REQUIRE(client.header().status == 100);
    REQUIRE(client.send("abc"));
    REQUIRE(client.answer().body == "abc");
}

TEST_CASE("Requests that are sent ahead are all answered to a client that ends its side with the last of them") {
    std::vector<Route> routes = some_routes();
    routes.push_back(route(Method::get, "/long", [](const Request &) { return Response::json(200, std::string(200'000, '1')); }));
    Serving serving(std::move(routes));
    RawClient client(serving.port);
    std::string all;
    constexpr int kRequests = 30;
    for (int count = 0; count < kRequests; ++count) {
        all += get("/long");
    }
    REQUIRE(client.send(all));
    client.finish_sending();
    for (int count = 0; count < kRequests; ++count) {
        REQUIRE(client.answer().body.size() == 200'000);
    }
}

TEST_CASE("A body may come in chunks, with extensions and a trailer that says nothing") {
    Serving serving(some_routes());
    RawClient client(serving.port);
    client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n1\r\nd\r\n0\r\n"
                "Authorization: Bearer late\r\n\r\n");
    REQUIRE(client.answer().body == "abcd");
    client.send(get("/hello/next"));
    REQUIRE(client.answer().body == "\"next\"");
}

TEST_CASE("HEAD has the header of GET and no body") {
    Serving serving(some_routes());
    RawClient client(serving.port);
    client.send("HEAD /hello/you HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const HttpAnswer head = client.answer(true);
    REQUIRE(head.status == 200);
    REQUIRE(head.header("Content-Length") == "5");
    client.send(get("/hello/you"));
    const HttpAnswer whole = client.answer();
    REQUIRE(whole.body == "\"you\"");
    REQUIRE(whole.header("ETag") == head.header("ETag"));
}

TEST_CASE("What isn't there is 404, another method 405 with Allow, and OPTIONS says what there is") {
    Serving serving(some_routes());
    const HttpAnswer missing = http(serving.port, "GET", "/nothing?secret=1");
    REQUIRE(missing.status == 404);
    REQUIRE(missing.header("Content-Type") == "application/problem+json");
    REQUIRE(missing.body.find(R"("type":"/problems/not-found","title":"Not Found","status":404,"detail":)") != std::string::npos);
    REQUIRE(missing.body.find(R"("instance":"/nothing")") != std::string::npos);
    const HttpAnswer method = http(serving.port, "DELETE", "/echo");
    REQUIRE(method.status == 405);
    REQUIRE(method.header("Allow") == "POST, OPTIONS");
    const HttpAnswer options = http(serving.port, "OPTIONS", "/hello/x");
    REQUIRE(options.status == 204);
    REQUIRE(options.header("Allow") == "GET, HEAD, OPTIONS");
    REQUIRE(http(serving.port, "OPTIONS", "*").status == 204);
    REQUIRE(http(serving.port, "BREW", "/echo").status == 501);
}

TEST_CASE("Each answer has the security headers, errors of the protocol too") {
    Serving serving(some_routes());
    RawClient broken(serving.port);
    broken.send("NONSENSE\r\n\r\n");
    for (const HttpAnswer &answer : {http(serving.port, "GET", "/hello/a"), http(serving.port, "GET", "/none"), broken.answer()}) {
        CHECK(answer.header("X-Content-Type-Options") == "nosniff");
        CHECK(answer.header("X-Frame-Options") == "DENY");
        CHECK(answer.header("Content-Security-Policy").value_or("").find("default-src 'none'") == 0);
        CHECK(answer.header("Strict-Transport-Security").value_or("").find("max-age=31536000") == 0);
        CHECK(answer.header("Referrer-Policy") == "no-referrer");
        CHECK(answer.header("Permissions-Policy").has_value());
        CHECK(answer.header("Date").has_value());
        CHECK(answer.header("X-Request-Id").has_value());
    }
}

TEST_CASE("A page has the policy of its route") {
    RouteOptions page;
    page.produces = {"text/html"};
    page.content_security_policy = "default-src 'self'";
    Serving serving({route(
        Method::get, "/", [](const Request &) { return Response::html("<!doctype html>"); }, page)});
    const HttpAnswer answer = http(serving.port, "GET", "/");
    REQUIRE(answer.header("Content-Security-Policy") == "default-src 'self'");
    REQUIRE(answer.header("Content-Type") == "text/html; charset=utf-8");
}

TEST_CASE("A type that the route doesn't take is 415, and one that it doesn't give 406") {
    Serving serving({route(Method::post, "/json", [](const Request &) { return Response::json(200, "{}"); })});
    const auto type = [](const std::string &text) { return std::vector<std::pair<std::string, std::string>>{{"Content-Type", text}}; };
    REQUIRE(http(serving.port, "POST", "/json", "{}", type("application/json")).status == 200);
    REQUIRE(http(serving.port, "POST", "/json", "{}", type("Application/JSON; charset=utf-8")).status == 200);
    REQUIRE(http(serving.port, "POST", "/json", "a=b", type("application/x-www-form-urlencoded")).status == 415);
    REQUIRE(http(serving.port, "POST", "/json", "{}").status == 415);
    REQUIRE(http(serving.port, "POST", "/json", "{}", {{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}}).status == 415);
    const auto accept = [](const std::string &text) { return std::vector<std::pair<std::string, std::string>>{{"Accept", text}}; };
    REQUIRE(http(serving.port, "POST", "/json", "", accept("text/html, application/*;q=0.5")).status == 200);
    REQUIRE(http(serving.port, "POST", "/json", "", accept("text/html")).status == 406);
    REQUIRE(http(serving.port, "POST", "/json", "", accept("*/*, application/json;q=0")).status == 406);
}

TEST_CASE("A client that has the answer already gets 304 by its ETag") {
    Serving serving(some_routes());
    const HttpAnswer first = http(serving.port, "GET", "/hello/a");
    const std::string tag = first.header("ETag").value_or("");
    REQUIRE(tag.size() > 10);
    REQUIRE(tag.front() == '"');
    const auto ask = [&](const std::string &target, const std::string &tags) {
        return http(serving.port, "GET", target, "", {{"If-None-Match", tags}});
    };
    const HttpAnswer second = ask("/hello/a", "\"other\", W/" + tag);
    REQUIRE(second.status == 304);
    REQUIRE(second.body.empty());
    REQUIRE_FALSE(second.header("Content-Length"));
    REQUIRE(second.header("ETag") == tag);
    REQUIRE(ask("/hello/a", "*").status == 304);
    REQUIRE(ask("/hello/b", tag).status == 200);
}

TEST_CASE("An answer with max_age is made once for everybody who asks at the same time, and again when it is old") {
    std::atomic<int> made{0};
    std::promise<void> go;
    const std::shared_future<void> gone = go.get_future().share();
    RouteOptions kept;
    kept.max_age = std::chrono::hours(1);
    Serving serving({route(
        Method::get, "/slow",
        [&](const Request &request) {
            gone.wait();
            return Response::json(200, "[" + std::to_string(++made) + "," + json_string(request.query) + "]");
        },
        kept)});
    std::vector<RawClient> clients;
    for (int count = 0; count < 50; ++count) {
        clients.emplace_back(serving.port);
        clients.back().send(get("/slow"));
    }
    REQUIRE(eventually([&] { return serving.server.statistics().requests == 50; }));
    go.set_value();
    for (RawClient &client : clients) {
        const HttpAnswer answer = client.answer();
        CHECK(answer.body == "[1,\"\"]");
        CHECK(answer.header("Cache-Control") == "public, max-age=3600");
    }
    REQUIRE(http(serving.port, "GET", "/slow?x=1").body == "[2,\"x=1\"]");
    REQUIRE(http(serving.port, "GET", "/slow").body == "[1,\"\"]");
    REQUIRE(made == 2);
}

TEST_CASE("A failing answer is not kept") {
    std::atomic<int> calls{0};
    RouteOptions kept;
    kept.max_age = std::chrono::hours(1);
    Serving serving({route(
        Method::get, "/first-fails",
        [&](const Request &) -> Response {
            if (++calls == 1) {
                throw std::runtime_error("a secret of the database");
            }
            return Response::json(200, "{}");
        },
        kept)});
    const HttpAnswer failed = http(serving.port, "GET", "/first-fails");
    REQUIRE(failed.status == 500);
    REQUIRE(failed.body.find("secret") == std::string::npos);
    REQUIRE(http(serving.port, "GET", "/first-fails").status == 200);
}

TEST_CASE("A handler that answers later, from another thread, is waited for; one that never does is a 500") {
    std::vector<std::thread> threads;
    Route later;
    later.method = Method::post;
    later.pattern = "/later";
    later.options.consumes = {};
    later.async = [&](const std::shared_ptr<const Request> &request, const Reply &reply) {
        if (request->body == "never") {
            return;
        }
        threads.emplace_back([request, reply] {
            reply(Response::json(202, request->body));
            reply(Response::json(500, "twice"));
        });
    };
    Serving serving({later});
    REQUIRE(http(serving.port, "POST", "/later", "1").status == 202);
    REQUIRE(http(serving.port, "POST", "/later", "never").status == 500);
    for (std::thread &thread : threads) {
        thread.join();
    }
}

TEST_CASE("New routes take over while requests of the old ones are still answered by them") {
    std::promise<void> go;
    const std::shared_future<void> gone = go.get_future().share();
    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = owned;
    Serving serving({route(Method::get, "/who", [gone, owned](const Request &) {
        gone.wait();
        return Response::json(200, "\"old\"");
    })});
    owned.reset();
    RawClient old(serving.port);
    old.send(get("/who"));
    REQUIRE(eventually([&] { return serving.server.statistics().running == 1; }));
    serving.server.set_routes("public",
                              table({route(Method::get, "/who", [](const Request &) { return Response::json(200, "\"new\""); })}));
    REQUIRE(http(serving.port, "GET", "/who").body == "\"new\"");
    REQUIRE_FALSE(watched.expired());
    go.set_value();
    REQUIRE(old.answer().body == "\"old\"");
    REQUIRE(eventually([&] { return watched.expired(); }));
}

TEST_CASE("Settings may change while routes are replaced and requests are answered") {
    ServerOptions how = options();
    Serving serving(some_routes(), how);
    std::atomic<bool> enough{false};
    const auto settings = std::async(std::launch::async, [&] {
        for (std::size_t turn = 0; !enough; ++turn) {
            how.listeners[0].host_names.assign(turn % 3, "weir.example");
            how.limits.max_body_bytes = 1000 + turn % 100;
            serving.server.reconfigure(how.limits, how.listeners);
        }
    });
    const auto routes = std::async(std::launch::async, [&] {
        while (!enough) {
            serving.server.set_routes("public", table(some_routes()));
        }
    });
    for (int count = 0; count < 100; ++count) {
        CHECK(http(serving.port, "GET", "/hello/you").body == "\"you\"");
    }
    enough = true;
}

TEST_CASE("Before its first routes a server says that it is starting") {
    Server server(options());
    server.start();
    const HttpAnswer answer = http(server.port("public"), "GET", "/");
    REQUIRE(answer.status == 503);
    REQUIRE(answer.header("Retry-After") == "1");
}

TEST_CASE("A server that stops lets requests that run be answered, and takes no more") {
    std::promise<void> go;
    const std::shared_future<void> gone = go.get_future().share();
    Serving serving({route(Method::get, "/slow", [gone](const Request &) {
        gone.wait();
        return Response::json(200, "{}");
    })});
    RawClient idle(serving.port);
    RawClient busy(serving.port);
    busy.send(get("/slow"));
    REQUIRE(eventually([&] { return serving.server.statistics().running == 1; }));
    auto stopped = std::async(std::launch::async, [&] { return serving.server.stop(std::chrono::seconds(30)); });
    REQUIRE(idle.closed_within(std::chrono::seconds(20)));
    REQUIRE_FALSE(RawClient(serving.port).connected());
    go.set_value();
    const HttpAnswer answer = busy.answer();
    REQUIRE(answer.status == 200);
    REQUIRE(answer.header("Connection") == "close");
    REQUIRE(stopped.get());
}

TEST_CASE("A port that is taken is said with the key to change") {
    Serving first(some_routes());
    ServerOptions second = options();
    second.listeners[0].address = "127.0.0.1:" + std::to_string(first.port);
    Server server(second);
    try {
        server.start();
        FAIL("two servers listen on one port");
    } catch (const ListenFailure &failure) {
        REQUIRE(std::string(failure.what()).find("http.listen: can't listen on 127.0.0.1:") == 0);
        REQUIRE(std::string(failure.what()).find("in use") != std::string::npos);
    }
    ServerOptions wrong = options();
    wrong.listeners[0].address = "nowhere";
    REQUIRE_THROWS_AS(Server(wrong).start(), ListenFailure);
}
