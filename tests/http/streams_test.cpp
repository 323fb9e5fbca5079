// SPDX-License-Identifier: Apache-2.0
#include "serving.hpp"

#include "gate.hpp"
#include "support.hpp"

#include <atomic>
#include <future>
#include <mutex>

using namespace weir::http;
using namespace weir::http::test;
using weir::test::eventually;

namespace {

RouteOptions events() {
    RouteOptions how;
    how.produces = {"text/event-stream"};
    how.events = true;
    return how;
}

/// Serves one stream, which the test feeds.
struct Feed {
    explicit Feed(EventStreamOptions how = {}) : options(how) {}
    Route route() {
        return test::route(
            Method::get, "/events",
            [this](const Request &) {
                auto made = std::make_shared<EventStream>(options);
                made->when_ended([this] { ++ended; });
                const std::lock_guard lock(mutex);
                stream = made;
                return Response::events(made);
            },
            events());
    }
    std::shared_ptr<EventStream> now() {
        const std::lock_guard lock(mutex);
        return stream;
    }
    EventStreamOptions options;
    std::mutex mutex;
    std::shared_ptr<EventStream> stream;
    std::atomic<int> ended{0};
};

} // namespace

TEST_CASE("Events reach the client as they are sent, and none of them can forge another") {
    Feed feed;
    Serving serving({feed.route()});
    RawClient client(serving.port);
    client.send(get("/events"));
    const HttpAnswer header = client.header();
    REQUIRE(header.status == 200);
    CHECK(header.header("Content-Type") == "text/event-stream");
    CHECK(header.header("Cache-Control") == "no-store");
    CHECK(client.read_until("\n\n").find("retry: 2000") != std::string::npos);
    REQUIRE(feed.now()->send({"one\ntwo\r\nthree", "counts", "7"}));
    CHECK(client.read_until("\n\n").find("event: counts\nid: 7\ndata: one\ndata: two\ndata: three\n\n") != std::string::npos);
    REQUIRE(feed.now()->send({"x", "a\nevent: b", "1\r\ndata: forged"}));
    CHECK(client.read_until("data: x\n\n").find("event: aevent: b\nid: 1data: forged\n") != std::string::npos);
    feed.now()->end();
    CHECK(client.read_until("0\r\n\r\n").find("0\r\n\r\n") != std::string::npos);
    CHECK(client.closed_within(std::chrono::seconds(20)));
    CHECK_FALSE(feed.now()->send({"late", "", ""}));
}

TEST_CASE("A stream ends when its client leaves") {
    Feed feed;
    Serving serving({feed.route()});
    {
        RawClient client(serving.port);
        client.send(get("/events"));
        REQUIRE(client.header().status == 200);
        REQUIRE(eventually([&] { return serving.server.statistics().streams == 1; }));
    }
    CHECK(eventually([&] { return feed.ended == 1; }));
    CHECK(eventually([&] { return serving.server.statistics().streams == 0; }));
}

TEST_CASE("A stream ends when its owner lets go of it, when routes are replaced, and when the server stops") {
    const int how = GENERATE(0, 1, 2);
    Feed feed;
    Serving serving({feed.route()});
    RawClient client(serving.port);
    client.send(get("/events"));
    REQUIRE(client.header().status == 200);
    REQUIRE(eventually([&] { return serving.server.statistics().streams == 1; }));
    if (how == 0) {
        const std::lock_guard lock(feed.mutex);
        feed.stream.reset();
    } else if (how == 1) {
        serving.server.set_routes("public", table({feed.route()}));
    } else {
        CHECK(serving.server.stop(std::chrono::seconds(20)));
    }
    CHECK(client.read_until("\r\n0\r\n\r\n").find("\r\n0\r\n\r\n") != std::string::npos);
    CHECK(client.closed_within(std::chrono::seconds(20)));
    CHECK(eventually([&] { return feed.ended == 1; }));
}

TEST_CASE("A stream that is answered when its routes were replaced already, or the server stops already, ends at once") {
    const bool stops = GENERATE(false, true);
    Gate gate;
    Feed feed;
    ServerOptions how = options();
    how.workers = 1;
    Serving serving({gate.route("/slow"), feed.route()}, how);
    RawClient slow(serving.port);
    slow.send(get("/slow"));
    REQUIRE(eventually([&] { return serving.server.statistics().running == 1; }));
    RawClient client(serving.port);
    client.send(get("/events"));
    REQUIRE(eventually([&] { return serving.server.statistics().queued == 1; }));
    std::future<bool> stopped;
    if (stops) {
        stopped = std::async(std::launch::async, [&] { return serving.server.stop(std::chrono::seconds(20)); });
        REQUIRE(eventually([&] { return !RawClient(serving.port).connected(); }));
    } else {
        serving.server.set_routes("public", table({feed.route()}));
    }
    gate.open();
    CHECK(client.header().status == 200);
    CHECK(client.read_until("\r\n0\r\n\r\n").find("\r\n0\r\n\r\n") != std::string::npos);
    CHECK(client.closed_within(std::chrono::seconds(20)));
    CHECK(eventually([&] { return feed.ended == 1; }));
    if (stops) {
        CHECK(stopped.get());
    }
}

TEST_CASE("A quiet stream sends comments, so that a client that is gone is found") {
    Feed feed({.keep_alive = std::chrono::milliseconds(50)});
    Serving serving({feed.route()});
    RawClient client(serving.port);
    client.send(get("/events"));
    CHECK(client.read_until(":\n\n").find(":\n\n") != std::string::npos);
}

TEST_CASE("A client that doesn't read costs no more than the stream's bound, and the stream ends, or keeps the newest event alone") {
    const bool latest_only = GENERATE(false, true);
    EventStream stream({.max_bytes = 1000, .latest_only = latest_only});
    int sent = 0;
    while (sent < 1000 && stream.send({std::to_string(sent) + std::string(90, 'x'), "", ""})) {
        ++sent;
    }
    CHECK(stream.ended() == !latest_only);
    CHECK(sent == (latest_only ? 1000 : 10));
    CHECK_FALSE(stream.send({std::string(2000, 'x'), "", ""}));
}

TEST_CASE("A channel gives what is published to each client, begins with the newest, and asks its source only while somebody listens") {
    std::atomic<int> pulled{0};
    EventChannelOptions how;
    how.max_streams = 3;
    how.every = std::chrono::milliseconds(10);
    how.pull = [&]() -> std::optional<ServerEvent> { return ServerEvent{"n" + std::to_string(++pulled), "", ""}; };
    EventChannel channel(how);
    CHECK(pulled == 0);
    Serving serving({route(
        Method::get, "/events", [&](const Request &) { return Response::events(channel.subscribe()); }, events())});
    {
        std::vector<RawClient> clients;
        for (int count = 0; count < 3; ++count) {
            clients.emplace_back(serving.port);
            clients.back().send(get("/events"));
            REQUIRE(clients.back().header().status == 200);
        }
        for (RawClient &client : clients) {
            CHECK(client.read_until("data: n").find("data: n") != std::string::npos);
        }
        const HttpAnswer full = http(serving.port, "GET", "/events", "", {{"Accept", "text/event-stream"}});
        CHECK(full.status == 503);
    }
    CHECK(eventually([&] { return channel.streams() == 0; }));
    EventChannel plain;
    plain.publish({"first", "", ""});
    const auto late = plain.subscribe();
    REQUIRE(late);
    CHECK_FALSE(late->ended());
}
