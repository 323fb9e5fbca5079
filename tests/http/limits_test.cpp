// SPDX-License-Identifier: Apache-2.0
#include "serving.hpp"

#include "gate.hpp"
#include "http/worker_pool.hpp"
#include "support.hpp"

#include <atomic>

using namespace weir::http;
using namespace weir::http::test;
using weir::test::eventually;

namespace {

constexpr auto kLong = std::chrono::seconds(20);

} // namespace

TEST_CASE("A body beyond its limit is 413, by its announced length, in chunks, and by a route's own limit") {
    ServerOptions how = options();
    how.limits.max_body_bytes = 1000;
    std::vector<Route> routes = some_routes();
    RouteOptions small;
    small.consumes = {};
    small.max_body_bytes = 10;
    routes.push_back(route(
        Method::post, "/small", [](const Request &) { return Response::empty(204); }, small));
    Serving serving(std::move(routes), how);
    const std::string chunked = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(http(serving.port, "POST", "/echo", std::string(1000, 'x')).status == 200);
    CHECK(http(serving.port, "POST", "/small", std::string(10, 'x')).status == 204);
    for (const std::string &bytes :
         {post("/echo", std::string(1001, 'x')), post("/small", std::string(11, 'x')),
          chunked + "3e8\r\n" + std::string(1000, 'x') + "\r\n1\r\nx\r\n0\r\n\r\n",
          std::string("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551615\r\n\r\n")}) {
        RawClient client(serving.port);
        client.send(bytes);
        const HttpAnswer answer = client.answer();
        CHECK(answer.status == 413);
        CHECK(answer.header("Connection") == "close");
        CHECK(answer.body.find("/problems/body-too-large") != std::string::npos);
        CHECK(client.closed_within(kLong));
    }
    RawClient whole(serving.port);
    whole.send(chunked + "3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n");
    CHECK(whole.answer().status == 200);
}

TEST_CASE("A header beyond its limit is 431, whether it is one line or many, and whether it ends or not") {
    ServerOptions how = options();
    how.limits.max_header_bytes = 2000;
    Serving serving(some_routes(), how);
    std::string many;
    while (many.size() < 2000) {
        many += "X-Field: value\r\n";
    }
    CHECK(http(serving.port, "GET", "/hello/a", "", {{"X-Big", std::string(1800, 'x')}}).status == 200);
    for (const std::string &bytes : {get("/hello/a", "X-Big: " + std::string(2000, 'x') + "\r\n"), get("/hello/a", many),
                                     get("/hello/" + std::string(2000, 'a')), "GET /" + std::string(5000, 'a')}) {
        RawClient client(serving.port);
        client.send(bytes);
        const HttpAnswer answer = client.answer();
        CHECK(answer.status == 431);
        CHECK(answer.body.find("http.max_header_bytes (2000 bytes)") != std::string::npos);
        CHECK(client.closed_within(kLong));
    }
}

TEST_CASE("A header or a body that comes too slowly is 408, and says by which key") {
    ServerOptions how = options();
    how.limits.header_timeout_ms = 200;
    how.limits.body_timeout_ms = 200;
    Serving serving(some_routes(), how);
    RawClient header(serving.port);
    header.send("GET /hello/a HTTP/1.1\r\nHost: ");
    const HttpAnswer late_header = header.answer();
    CHECK(late_header.status == 408);
    CHECK(late_header.body.find("http.header_timeout_ms (200)") != std::string::npos);
    RawClient body(serving.port);
    body.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
    const HttpAnswer late_body = body.answer();
    CHECK(late_body.status == 408);
    CHECK(late_body.body.find("http.body_timeout_ms (200)") != std::string::npos);
}

TEST_CASE("A connection that is idle is closed, before its first request and after one") {
    ServerOptions how = options();
    how.limits.idle_timeout_ms = 200;
    Serving serving(some_routes(), how);
    RawClient silent(serving.port);
    CHECK(silent.closed_within(kLong));
    RawClient client(serving.port);
    client.send(get("/hello/a")); // it may be closed by now, where this machine stood still
    client.answer();
    CHECK(client.closed_within(kLong));
    CHECK(eventually([&] { return serving.server.statistics().connections == 0; }));
}

TEST_CASE("A connection is closed after as many requests as it may have, and the last one is told so") {
    ServerOptions how = options();
    how.limits.max_requests_per_connection = 3;
    Serving serving(some_routes(), how);
    RawClient client(serving.port);
    for (int i = 0; i < 2; ++i) {
        client.send(get("/hello/a"));
        const HttpAnswer answer = client.answer();
        CHECK(answer.status == 200);
        CHECK(answer.header("Connection") != "close");
    }
    client.send(get("/hello/a") + get("/hello/b"));
    const HttpAnswer last = client.answer();
    CHECK(last.status == 200);
    CHECK(last.header("Connection") == "close");
    CHECK(client.closed_within(kLong));
    CHECK(eventually([&] { return serving.server.statistics().connections == 0; }));
    CHECK(serving.server.statistics().requests == 3);
}

TEST_CASE("Bytes that trickle in don't buy a header more time") {
    ServerOptions how = options();
    how.limits.header_timeout_ms = 300;
    Serving serving(some_routes(), how);
    RawClient client(serving.port);
    client.send("GET /hello/a HTTP/1.1\r\n");
    const bool ended = eventually([&] { return !client.send("X") || serving.server.statistics().connections == 0; });
    CHECK(ended);
    const HttpAnswer answer = client.answer();
    CHECK((answer.status == 408 || answer.status == 0)); // and not 431; what was sent too late may have the answer thrown away
}

TEST_CASE("A handler that is late is 504 in its place, and its thread is replaced so that others are served") {
    Gate gate;
    ServerOptions how = options();
    how.workers = 1;
    RouteOptions soon;
    soon.timeout = std::chrono::milliseconds(200);
    std::vector<Route> routes = some_routes();
    routes.push_back(gate.route("/hangs", soon));
    Serving serving(std::move(routes), how);
    RawClient client(serving.port);
    client.send(get("/hangs"));
    const HttpAnswer late = client.answer();
    CHECK(late.status == 504);
    CHECK(late.body.find("200 ms") != std::string::npos);
    CHECK(http(serving.port, "GET", "/hello/a").status == 200);
    client.send(get("/hello/same"));
    CHECK(client.answer().body == "\"same\"");
    gate.open();
    CHECK(eventually([&] { return serving.server.statistics().running == 0; }));
    client.send(get("/hello/still"));
    CHECK(client.answer().body == "\"still\"");
}

TEST_CASE("An answer that comes late is no other request's, not the connection's last one's either") {
    Gate first; // answers "late"
    std::promise<void> second;
    RouteOptions soon;
    soon.timeout = std::chrono::milliseconds(1000);
    Serving serving({first.route("/first", soon), route(Method::get, "/second", [gone = second.get_future().share()](const Request &) {
                         gone.wait_for(kLong);
                         return Response::json(200, "\"second\"");
                     })});
    RawClient client(serving.port);
    client.send(get("/first"));
    CHECK(client.answer().status == 504);
    client.send("GET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    REQUIRE(eventually([&] { return serving.server.statistics().running == 2; }));
    first.open();
    REQUIRE(eventually([&] { return serving.server.statistics().running == 1; }));
    second.set_value();
    CHECK(client.answer().body == "\"second\"");
}

TEST_CASE("http.handler_timeout_ms counts where a route has no time of its own") {
    Gate gate;
    ServerOptions how = options();
    how.limits.handler_timeout_ms = 200;
    Serving serving({gate.route("/hangs")}, how);
    const HttpAnswer late = http(serving.port, "GET", "/hangs");
    CHECK(late.status == 504);
    CHECK(late.body.find("200 ms") != std::string::npos);
}

TEST_CASE("A 504 names the key that is in effect for its route, and where no worker was free, that is said instead") {
    Gate gate;
    ServerOptions how = options();
    how.workers = 1;
    how.limits.handler_timeout_ms = 100;
    RouteOptions of_domain;
    of_domain.timeout = std::chrono::milliseconds(100);
    of_domain.timeout_key = "engine.handler_budget_ms of domain votes";
    RouteOptions fixed;
    fixed.timeout = std::chrono::milliseconds(100);
    Serving serving({gate.route("/plain"), gate.route("/domain", of_domain), gate.route("/fixed", fixed)}, how);
    const auto late = [&](const char *path) {
        const HttpAnswer answer = http(serving.port, "GET", path);
        CHECK(answer.status == 504);
        return answer.body;
    };
    CHECK(late("/plain").find(" ms (http.handler_timeout_ms)") != std::string::npos);
    const std::string domain = late("/domain");
    CHECK(domain.find("100 ms (engine.handler_budget_ms of domain votes)") != std::string::npos);
    CHECK(domain.find("http.handler_timeout_ms") == std::string::npos);
    CHECK(late("/fixed").find("100 ms (the route's own time)") != std::string::npos);
    // Now no worker is free, which is no fault of the route that is asked for, nor of its key.
    const HttpAnswer waited = http(serving.port, "GET", "/domain");
    CHECK(waited.status == 503);
    CHECK(waited.body.find("No worker was free within 100 ms") != std::string::npos);
    CHECK(waited.body.find("http.workers") != std::string::npos);
    CHECK(waited.body.find("votes") == std::string::npos);
}

TEST_CASE("Requests beyond the queue are 503 with Retry-After, and routes of operations are answered all the same") {
    Gate gate;
    ServerOptions how = options();
    how.workers = 1;
    how.limits.max_queue = 1;
    RouteOptions reserve;
    reserve.runs = Runs::reserve;
    Serving serving({gate.route("/slow"), route(
                                              Method::get, "/ready", [](const Request &) { return Response::json(200, "{}"); }, reserve)},
                    how);
    RawClient running(serving.port);
    running.send(get("/slow"));
    REQUIRE(eventually([&] { return serving.server.statistics().running == 1; }));
    RawClient queued(serving.port);
    queued.send(get("/slow"));
    REQUIRE(eventually([&] { return serving.server.statistics().queued == 1; }));
    const HttpAnswer full = http(serving.port, "GET", "/slow");
    CHECK(full.status == 503);
    CHECK(full.header("Retry-After") == "1");
    CHECK(full.body.find("http.max_queue allows (1)") != std::string::npos);
    CHECK(http(serving.port, "GET", "/ready").status == 200);
    gate.open();
    CHECK(running.answer().status == 200);
    CHECK(queued.answer().status == 200);
}

TEST_CASE("Connections beyond the bound get a 503 and are closed; when one ends another may come") {
    ServerOptions how = options();
    const bool by_address = GENERATE(false, true);
    (by_address ? how.limits.max_connections_per_address : how.limits.max_connections) = 2;
    Serving serving(some_routes(), how);
    {
        RawClient first(serving.port);
        RawClient second(serving.port);
        REQUIRE(eventually([&] { return serving.server.statistics().connections == 2; }));
        RawClient third(serving.port);
        const HttpAnswer answer = third.answer();
        CHECK(answer.status == 503);
        CHECK(answer.body.find("http.max_connections") != std::string::npos);
        CHECK(answer.header("Retry-After") == "5");
        for (const char *name : {"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Strict-Transport-Security",
                                 "Referrer-Policy", "Permissions-Policy", "Date"}) {
            INFO(name);
            CHECK(answer.header(name));
        }
        CHECK(third.closed_within(kLong));
        CHECK(serving.server.statistics().refused == 1);
    }
    CHECK(eventually([&] { return http(serving.port, "GET", "/hello/a").status == 200; }));
}

TEST_CASE("A client that waits to be asked for its body is asked, or refused before it sends it") {
    Serving serving(some_routes());
    RawClient client(serving.port);
    client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    CHECK(client.header().status == 100);
    client.send("abc");
    CHECK(client.answer().body == "abc");
    client.send("POST /nowhere HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    CHECK(client.answer().status == 404);
    CHECK(client.closed_within(kLong));
    RawClient other(serving.port);
    other.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\nContent-Length: 3\r\n\r\n");
    CHECK(other.answer().status == 417);
}

TEST_CASE("A body's limit changes while the server runs") {
    ServerOptions how = options();
    Serving serving(some_routes(), how);
    CHECK(http(serving.port, "POST", "/echo", "0123456789").status == 200);
    how.limits.max_body_bytes = 5;
    serving.server.reconfigure(how.limits, how.listeners);
    CHECK(http(serving.port, "POST", "/echo", "0123456789").status == 413);
}

namespace {

/// Watches handlers that share an allowance, which never ends.
class Watch : public HandlerWatch {
public:
    void left_behind(const Route &) override { ++left; }
    void returned(const Route &) override { --left; }
    bool full() const override { return false; }
    Response refusal() const override { return {}; }
    const void *group() const noexcept override { return this; }

    std::atomic<int> left{0};
};

/// Four workers, and jobs that wait until the gate opens.
struct Pool {
    ~Pool() {
        gate.set_value();
        CHECK(eventually([&] { return pool.running() + pool.queued() == 0; }));
        CHECK(pool.stop(WorkerPool::Clock::now() + std::chrono::seconds(60)));
    }

    /// @param from_now when it is overdue
    void submit(const std::shared_ptr<Watch> &watch, std::chrono::seconds from_now) {
        const auto run = [this, open = open] {
            ++running;
            open.wait();
        };
        REQUIRE(pool.submit({run, WorkerPool::Clock::now() + from_now, {}, watch, std::make_shared<const Route>()}));
    }
    bool answers(const std::shared_ptr<Watch> &watch) {
        const auto done = std::make_shared<std::promise<void>>();
        REQUIRE(pool.submit(
            {[done] { done->set_value(); }, WorkerPool::Clock::now() + std::chrono::hours(1), {}, watch, std::make_shared<const Route>()}));
        return done->get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready;
    }

    std::promise<void> gate;
    std::shared_future<void> open = gate.get_future().share();
    std::atomic<int> running{0}; // until the gate opens
    WorkerPool pool{4, 100};
};

} // namespace

TEST_CASE("handlers of a group that has left none behind get all workers") {
    const auto group = std::make_shared<Watch>();
    Pool jobs;
    for (int i = 0; i < 6; ++i) {
        jobs.submit(group, std::chrono::hours(1));
    }
    CHECK(eventually([&] { return jobs.running == 4; }));
    CHECK(group->left == 0);
}

TEST_CASE("while a handler of a group is left behind, others of the group get half of the workers, and other groups the rest") {
    const auto group = std::make_shared<Watch>();
    const auto other = std::make_shared<Watch>();
    Pool jobs;
    jobs.submit(group, std::chrono::seconds(0));
    REQUIRE(eventually([&] { return jobs.running == 1; }));
    jobs.pool.relieve(WorkerPool::Clock::now());
    REQUIRE(group->left == 1);
    for (int i = 0; i < 6; ++i) {
        jobs.submit(group, std::chrono::hours(1));
    }
    REQUIRE(eventually([&] { return jobs.running == 3; })); // the one that was left behind, and two
    for (int i = 0; i < 20; ++i) {
        REQUIRE(jobs.answers(other));
    }
    CHECK(jobs.running == 3);
    jobs.submit(other, std::chrono::hours(1));
    jobs.submit(other, std::chrono::hours(1));
    CHECK(eventually([&] { return jobs.running == 5; })); // in the place of the one left behind there is another thread
    CHECK(jobs.pool.queued() == 4);
}
