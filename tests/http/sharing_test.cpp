// SPDX-License-Identifier: Apache-2.0
// What one client, or all of them together, may take from the others: connections, and memory for bodies.
#include "serving.hpp"

#include "gate.hpp"
#include "http/access.hpp"
#include "support.hpp"

#include <mutex>
#include <string>
#include <vector>

using namespace weir::http;
using namespace weir::http::test;
using weir::test::eventually;

namespace {

constexpr auto kLong = std::chrono::seconds(30);

RouteOptions on(Runs runs) {
    RouteOptions how;
    how.runs = runs;
    how.produces = {};
    how.consumes = {};
    return how;
}

std::vector<Route> routes_with_operations() {
    std::vector<Route> all = some_routes();
    const auto add = [&](Method method, const char *pattern, Runs runs) {
        all.push_back(route(
            method, pattern, [](const Request &) { return Response::json(200, "{}"); }, on(runs)));
    };
    add(Method::get, "/health", Runs::at_once);
    add(Method::get, "/ready", Runs::reserve);
    add(Method::post, "/api/change", Runs::worker);
    return all;
}

/// Clients that are connected and say nothing.
std::vector<RawClient> crowd(std::uint16_t port, std::size_t count, const std::string &from = {}) {
    std::vector<RawClient> all;
    for (std::size_t made = 0; made < count; ++made) {
        all.emplace_back(port, "127.0.0.1", from);
        REQUIRE(all.back().connected());
    }
    return all;
}

HttpAnswer ask(std::uint16_t port, const std::string &bytes, const std::string &from = {}) {
    RawClient client(port, "127.0.0.1", from);
    client.send(bytes);
    return client.answer();
}

std::string begun_post(const std::string &target, std::size_t announced, std::size_t sent) {
    return "POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(announced) + "\r\n\r\n" +
           std::string(sent, 'x');
}

} // namespace

TEST_CASE("A client has no more than its own share of the connections, and others are served beside it") {
    ServerOptions how = options();
    how.limits.max_connections = 5;
    how.limits.max_connections_per_address = 3;
    Serving serving(routes_with_operations(), how);
    const auto held = crowd(serving.port, 3);
    REQUIRE(eventually([&] { return serving.server.statistics().connections == 3; }));
    const HttpAnswer refused = ask(serving.port, get("/hello/a"));
    CHECK(refused.status == 503);
    CHECK(refused.body.find("http.max_connections_per_address") != std::string::npos);
    CHECK(serving.server.statistics().refused == 1);
    CHECK(ask(serving.port, get("/hello/you"), "127.0.0.2").body == "\"you\"");
    CHECK(eventually([&] { return serving.server.statistics().connections == 3; }));
    const auto others = crowd(serving.port, 2, "127.0.0.3");
    REQUIRE(eventually([&] { return serving.server.statistics().connections == 5; }));
    CHECK(ask(serving.port, get("/hello/you"), "127.0.0.2").status == 503);
}

TEST_CASE("An IPv6 client's share is its network's, which has more addresses than a server has connections") {
    CHECK(share_of("127.0.0.1") == "127.0.0.1");
    CHECK(share_of("::ffff:10.1.2.3") == "10.1.2.3");
    CHECK(share_of("2001:db8:1:2:3:4:5:6") == share_of("2001:db8:1:2:ffff::1"));
    CHECK(share_of("2001:db8:1:2:3:4:5:6") != share_of("2001:db8:1:3:3:4:5:6"));
    CHECK(share_of("fe80::1%eth0") == share_of("fe80::2%eth1"));
    CHECK_FALSE(share_of("::1").empty()); // nobody's share is the empty one, which is the reserve's
}

TEST_CASE("While every connection is taken, operations are answered, and nobody can keep the reserve from others") {
    ServerOptions how = options();
    how.io_threads = GENERATE(1u, 3u);
    how.limits.max_connections = 4;
    how.limits.max_connections_per_address = GENERATE(std::size_t(0), std::size_t(2));
    how.listeners[0].reserve_connections = 3;
    Serving serving(routes_with_operations(), how);
    const auto held = crowd(serving.port, 2);
    const auto others = crowd(serving.port, 2, "127.0.0.2");
    REQUIRE(eventually([&] { return serving.server.statistics().connections == 4; }));
    for (const char *path : {"/health", "/ready"}) {
        const HttpAnswer answer = ask(serving.port, get(path));
        CHECK(answer.status == 200);
        CHECK(answer.header("Connection") == "close");
    }
    for (const std::string &bytes : {get("/hello/a"), post("/api/change", "{}"), begun_post("/api/change", 1u << 20, 10)}) {
        const HttpAnswer full = ask(serving.port, bytes);
        CHECK(full.status == 503);
        CHECK(full.header("Retry-After") == "5");
        CHECK(full.body.find("http.max_connections") != std::string::npos);
    }
    // A hundred that say nothing, or the half of something, take the reserve from each other and not from who asks.
    auto silent = crowd(serving.port, 100);
    for (std::size_t at = 0; at < silent.size(); at += 2) {
        silent[at].send("GET /health HT");
    }
    for (int count = 0; count < 20; ++count) {
        CHECK(ask(serving.port, get("/ready"), "127.0.0.2").status == 200);
    }
    CHECK(silent.front().closed_within(kLong));
    CHECK(eventually([&] { return serving.server.statistics().connections <= 4 + 3; }));
    CHECK(serving.server.statistics().refused >= 3);
}

TEST_CASE("A request of the reserve that is being answered is not pushed out, and its connection is free again afterwards") {
    Gate gate;
    ServerOptions how = options();
    how.reserve_workers = 2;
    how.limits.max_connections = 1;
    how.listeners[0].reserve_connections = 1;
    std::vector<Route> routes = routes_with_operations();
    routes.push_back(gate.route("/slow", on(Runs::reserve)));
    Serving serving(std::move(routes), how);
    const auto held = crowd(serving.port, 1);
    REQUIRE(eventually([&] { return serving.server.statistics().connections == 1; }));
    RawClient slow(serving.port);
    slow.send(get("/slow"));
    REQUIRE(eventually([&] { return serving.server.statistics().running == 1; }));
    CHECK(ask(serving.port, get("/health")).status == 503);
    gate.open();
    CHECK(slow.answer().body == "\"late\"");
    CHECK(eventually([&] { return ask(serving.port, get("/health")).status == 200; }));
}

TEST_CASE("A listener for operations has connections of its own, whatever happens to the public one") {
    ServerOptions how = options();
    how.limits.max_connections = 3;
    how.limits.max_connections_per_address = 1;
    ListenerOptions operations = how.listeners[0];
    operations.name = "operations";
    operations.config_key = "http.operations.listen";
    operations.reserve_only = true;
    operations.reserve_connections = 2;
    how.listeners.push_back(operations);
    Server server(how);
    server.set_routes("public", table(some_routes()));
    server.set_routes("operations", table(routes_with_operations()));
    server.start();
    const auto first = crowd(server.port("public"), 1);
    const auto second = crowd(server.port("public"), 1, "127.0.0.2");
    const auto third = crowd(server.port("public"), 1, "127.0.0.3");
    REQUIRE(eventually([&] { return server.statistics().connections == 3; }));
    CHECK(http(server.port("public"), "GET", "/hello/a").status == 503);
    RawClient kept(server.port("operations"));
    for (int count = 0; count < 3; ++count) { // all routes, and more than one request
        kept.send(post("/api/change", "{}"));
        CHECK(kept.answer().status == 200);
    }
    const auto silent = crowd(server.port("operations"), 20);
    CHECK(kept.closed_within(kLong));
    CHECK(http(server.port("operations"), "GET", "/ready").status == 200);
}

TEST_CASE(
    "Bodies that come all at once take no more memory than they may together; beyond it's 503, and short ones are taken all the same") {
    constexpr std::size_t kKibi = 1024;
    ServerOptions how = options();
    how.limits.max_body_memory_bytes = 300 * kKibi;
    Serving serving(some_routes(), how);
    const auto held = [&] { return serving.server.statistics().body_bytes; };
    std::vector<RawClient> slow;
    for (int count = 0; count < 3; ++count) {
        slow.emplace_back(serving.port);
        slow.back().send(begun_post("/echo", 1u << 20, 90 * kKibi));
    }
    REQUIRE(eventually([&] { return held() == 270 * kKibi; }));
    const std::string body(100 * kKibi, 'y');
    const std::string chunked =
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n19000\r\n" + body + "\r\n0\r\n\r\n";
    for (const std::string &bytes : {post("/echo", body), chunked}) {
        RawClient client(serving.port);
        client.send(bytes);
        const HttpAnswer full = client.answer();
        CHECK(full.status == 503);
        CHECK(full.header("Retry-After") == "1");
        CHECK(full.header("Content-Type") == "application/problem+json");
        CHECK(full.body.find("http.max_body_memory_bytes allows (307200 bytes)") != std::string::npos);
        CHECK(client.closed_within(kLong));
    }
    CHECK(http(serving.port, "POST", "/echo", std::string(4096, 'z')).body.size() == 4096);
    CHECK(eventually([&] { return held() == 270 * kKibi; }));
    slow.clear();
    CHECK(eventually([&] { return held() == 0; }));
    for (const std::string &bytes : {post("/echo", body), chunked}) {
        CHECK((ask(serving.port, bytes).body == body));
    }
    CHECK(eventually([&] { return held() == 0; }));
}

TEST_CASE("A body counts as long as a handler has it, also when its client has left or was answered in its place") {
    Gate gate;
    ServerOptions how = options();
    how.limits.max_body_memory_bytes = 300'000;
    RouteOptions any = on(Runs::worker);
    any.timeout = std::chrono::milliseconds(1500); // it has begun by then
    std::vector<Route> routes = some_routes();
    Route slow = gate.route("/slow", any);
    slow.method = Method::post;
    routes.push_back(std::move(slow));
    Serving serving(std::move(routes), how);
    const auto held = [&] { return serving.server.statistics().body_bytes; };
    CHECK(ask(serving.port, post("/slow", std::string(200'000, 'x'))).status == 504);
    CHECK(held() == 200'000);
    CHECK(ask(serving.port, post("/echo", std::string(150'000, 'x'))).status == 503);
    CHECK(ask(serving.port, post("/echo", std::string(50'000, 'x'))).status == 200);
    gate.open();
    CHECK(eventually([&] { return held() == 0; }));
    CHECK(ask(serving.port, post("/echo", std::string(150'000, 'x'))).status == 200);
}

TEST_CASE("A client that doesn't take its answer is ended, and holds the answer no longer") {
    ServerOptions how = options();
    how.limits.write_timeout_ms = 300;
    auto answer = std::make_shared<std::string>(std::size_t(32) << 20, 'x'); // more than sockets take
    Serving serving({route(
                        Method::get, "/long", [answer](const Request &) { return Response::text(200, *answer); }, on(Runs::worker))},
                    how);
    RawClient client(serving.port);
    client.send(get("/long"));
    REQUIRE(eventually([&] { return serving.server.statistics().requests == 1; }));
    CHECK(eventually([&] { return serving.server.statistics().connections == 0; }, kLong));
    CHECK((client.answer().status == 0)); // it ends too early
}

TEST_CASE("The body of a request that is refused by its header is not kept") {
    ServerOptions how = options();
    how.limits.max_body_memory_bytes = 10'000;
    Serving serving(some_routes(), how);
    RawClient client(serving.port);
    client.send(post("/nowhere", std::string(1'000'000, 'x')));
    CHECK(client.answer().status == 404); // and not 503
    client.send(get("/hello/next"));
    CHECK(client.answer().body == "\"next\"");
}

namespace {

/// Serves streams that nothing comes on, and notes which refusals are said.
struct Streams {
    explicit Streams(ServerOptions how) : serving(routes(), said_by(std::move(how))) {}

    std::vector<Route> routes() {
        RouteOptions events = on(Runs::worker);
        events.events = true;
        std::vector<Route> all = some_routes();
        all.push_back(gate.route("/slow", on(Runs::worker)));
        all.push_back(route(
            Method::get, "/events", [this](const Request &) { return Response::events(channel.subscribe()); }, events));
        return all;
    }
    ServerOptions said_by(ServerOptions how) {
        how.streams_full = [this](std::string_view key, std::string_view address) {
            const std::lock_guard lock(mutex);
            said.push_back(std::string(key) + " " + std::string(address));
        };
        return how;
    }
    std::vector<RawClient> listeners(std::size_t count, const std::string &from) {
        std::vector<RawClient> all;
        for (std::size_t made = 0; made < count; ++made) {
            all.emplace_back(serving.port, "127.0.0.1", from);
            all.back().send(get("/events"));
            REQUIRE(all.back().header().status == 200);
        }
        return all;
    }
    std::vector<std::string> told() {
        const std::lock_guard lock(mutex);
        return said;
    }

    std::mutex mutex;
    std::vector<std::string> said;
    EventChannel channel;
    Gate gate;
    Serving serving;
};

} // namespace

TEST_CASE("A client has no more than its share of the event streams, all have no more than there may be, and each outage is said once") {
    ServerOptions how = options();
    how.limits.max_event_streams = 5;
    how.limits.max_event_streams_per_address = 3;
    Streams streams(how);
    const std::uint16_t port = streams.serving.port;
    const std::vector<std::string> greedy{"http.max_event_streams_per_address 127.0.0.1"};
    {
        const auto own = streams.listeners(3, "127.0.0.1");
        for (int count = 0; count < 3; ++count) {
            const HttpAnswer refused = ask(port, get("/events"), "127.0.0.1");
            CHECK(refused.status == 503);
            CHECK(refused.header("Retry-After") == "5");
            CHECK(refused.body.find("/problems/overloaded") != std::string::npos);
            CHECK(refused.body.find("http.max_event_streams_per_address allows (3)") != std::string::npos);
        }
        CHECK(streams.told() == greedy);
        CHECK(ask(port, get("/hello/you"), "127.0.0.1").status == 200);
        RawClient head(port);
        head.send("HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        CHECK(head.answer(true).status == 200); // it takes none
        const auto others = streams.listeners(2, "127.0.0.2");
        const HttpAnswer full = ask(port, get("/events"), "127.0.0.3");
        CHECK(full.status == 503);
        CHECK(full.body.find("http.max_event_streams allows (5)") != std::string::npos);
        CHECK(ask(port, get("/events"), "127.0.0.3").status == 503);
        CHECK(streams.told() == std::vector<std::string>{greedy[0], "http.max_event_streams 127.0.0.3"});
    }
    REQUIRE(eventually([&] { return streams.serving.server.statistics().streams == 0; }));
    const auto again = streams.listeners(3, "127.0.0.1");
    CHECK(ask(port, get("/events"), "127.0.0.1").status == 503);
    REQUIRE(streams.told().size() == 3);
    CHECK(streams.told().back() == greedy[0]);
}

TEST_CASE("Event streams count from their request on, so that asking for many at once gets nobody more") {
    ServerOptions how = options();
    how.workers = 1;
    how.limits.max_event_streams_per_address = 3;
    Streams streams(how);
    RawClient slow(streams.serving.port);
    slow.send(get("/slow"));
    REQUIRE(eventually([&] { return streams.serving.server.statistics().running == 1; }));
    std::vector<RawClient> waiting;
    for (std::size_t count = 1; count <= 3; ++count) {
        waiting.emplace_back(streams.serving.port);
        waiting.back().send(get("/events"));
        REQUIRE(eventually([&] { return streams.serving.server.statistics().queued == count; }));
    }
    CHECK(ask(streams.serving.port, get("/events")).status == 503);
    waiting.pop_back(); // it leaves before it is answered
    streams.gate.open();
    for (RawClient &client : waiting) {
        CHECK(client.header().status == 200);
    }
    CHECK(eventually([&] {
        RawClient next(streams.serving.port);
        next.send(get("/events"));
        return next.header().status == 200;
    }));
}
