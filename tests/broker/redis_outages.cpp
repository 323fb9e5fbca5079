// SPDX-License-Identifier: Apache-2.0
// The server dies, stands still, or is cut off while it is used: nothing is lost, nothing that was acknowledged comes again, order stays.
#include "contract_support.hpp"
#include "proxy.hpp"
#include "redis_fixture.hpp"
#include "server_process.hpp"
#include "tls_files.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <map>
#include <random>
#include <set>
#include <thread>

namespace {
using namespace weir;
using namespace std::chrono_literals;
using test::Batch;

std::unique_ptr<broker::Broker> through(const test::TcpProxy &proxy,
                                        const std::string &parameters = "timeout_ms=1000&connect_timeout_ms=1000") {
    return broker::open_redis_broker(test::redis_options("redis://127.0.0.1:" + std::to_string(proxy.port()), parameters));
}

/// Does it until it works; the broker may be away meanwhile.
void until_it_works(const std::function<void()> &action) {
    std::string last;
    const bool worked = test::eventually(
        [&] {
            try {
                action();
                return true;
            } catch (const broker::Unavailable &failure) {
                last = failure.what();
                return false;
            }
        },
        180s);
    INFO(last);
    REQUIRE(worked);
}

Batch read_through_outages(broker::Consumer &consumer, const broker::ReadLimits &limits, std::chrono::milliseconds wait) {
    Batch got;
    until_it_works([&] { got = consumer.read(limits, wait); });
    return got;
}

/// What an ordered consumer saw, held against what was published: 0, 1, 2, ... of each partition, everything at least once, and new ones in
/// order.
struct Ledger {
    std::set<int> seen;
    std::set<int> acked;
    std::map<std::uint32_t, int> last_new;
    int acked_again = 0;
    int disorder = 0;

    void note(const Batch &batch) {
        for (const auto &message : batch) {
            const int number = std::stoi(message->body);
            acked_again += static_cast<int>(acked.count(number));
            if (seen.insert(number).second) {
                int &last = last_new.try_emplace(message->partition, -1).first->second;
                disorder += number < last ? 1 : 0;
                last = std::max(last, number);
            }
        }
    }
};
} // namespace

TEST_CASE("what a killed server kept is read on, in order, and nothing acknowledged comes again") {
    test::RedisOptions options;
    options.appendfsync = "always";
    test::RedisServer server(options);
    const auto broker = test::open_redis(server, "partitions=2");
    constexpr int kMessages = 4000;
    std::vector<broker::Outgoing> all;
    for (int number = 0; number < kMessages; ++number) {
        all.push_back({"key-" + std::to_string(number % 50), {}, std::to_string(number)});
    }
    broker->publish("t", all);
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    std::mt19937_64 random(test::seed());
    Ledger ledger;
    int reads = 0;
    while (ledger.acked.size() < kMessages) {
        if (++reads % 12 == 0) {
            random() % 2 == 0 ? server.kill() : server.stop();
            server.start();
        }
        const Batch got = read_through_outages(*consumer, {random() % 200 + 1, 1u << 20}, 200ms);
        ledger.note(got);
        if (reads % 7 == 3) {
            server.kill(); // between read and ack: it is kept, and repeated
            consumer->ack(got);
            server.start();
        } else {
            consumer->ack(got);
        }
        for (const auto &message : got) {
            ledger.acked.insert(std::stoi(message->body));
        }
    }
    CHECK(ledger.acked_again == 0);
    CHECK(ledger.disorder == 0);
    until_it_works([&] { CHECK(consumer->lag().at(0).pending + consumer->lag().at(1).pending == 0); });
}

TEST_CASE("a proxy that cuts, stalls and half-closes loses nothing and keeps the order, with TLS and without") {
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    const test::TlsFiles files;
    const std::uint16_t tls_port = test::free_port();
    test::RedisOptions options;
    options.settings = files.settings(tls_port);
    test::RedisServer server(options);
    test::TcpProxy proxy(tls ? tls_port : server.port());
    const std::string parameters = "timeout_ms=300&connect_timeout_ms=300&partitions=2";
    const auto broker = tls ? broker::open_redis_broker(test::redis_options("rediss://127.0.0.1:" + std::to_string(proxy.port()),
                                                                            parameters + "&ssl_ca_certs=" + files.file("ca.crt")))
                            : through(proxy, parameters);
    const auto direct = test::open_redis(server, "partitions=2");
    std::atomic<bool> stop{false};
    std::atomic<int> published{0};
    direct->publish("t", test::numbered(0, 1, "key-0"));
    published = 1;
    std::thread publisher([&] {
        while (!stop && published < 20000) {
            std::vector<broker::Outgoing> some;
            const int from = published;
            for (int number = from; number < from + 20; ++number) {
                some.push_back({"key-" + std::to_string(number % 50), {}, std::to_string(number)});
            }
            direct->publish("t", some);
            published = from + 20;
            test::eventually([&] { return stop.load(); }, 5ms);
        }
    });
    std::atomic<bool> harm{true};
    std::mt19937_64 random(test::seed());
    std::thread harmer([&] {
        while (harm) {
            switch (random() % 5) {
            case 0:
                proxy.stall();
                test::eventually([&] { return !harm; }, std::chrono::milliseconds(random() % 500));
                proxy.resume();
                break;
            case 1:
                proxy.half_close(random() % 2 == 0 ? test::Way::to_server : test::Way::to_client);
                break;
            case 2:
                proxy.stall(test::Way::to_client); // the server acts, and nobody hears of it
                test::eventually([&] { return !harm; }, std::chrono::milliseconds(random() % 400));
                proxy.cut();
                proxy.resume();
                break;
            default:
                proxy.cut();
            }
            test::eventually([&] { return !harm; }, std::chrono::milliseconds(random() % 120));
        }
        proxy.resume();
    });
    const auto consumer = test::subscribe(*broker, "c");
    until_it_works([&] { test::claim_all(*consumer); });
    Ledger ledger;
    const auto began = std::chrono::steady_clock::now();
    bool harmed = true;
    while (harmed || static_cast<int>(ledger.acked.size()) < published) {
        if (harmed && (std::chrono::steady_clock::now() - began > 4s || published >= 20000)) {
            harmed = false;
            stop = true;
            publisher.join();
            harm = false;
            harmer.join();
        }
        const Batch got = read_through_outages(*consumer, {random() % 100 + 1, 1u << 20}, 100ms);
        ledger.note(got);
        consumer->ack(got);
        for (const auto &message : got) {
            ledger.acked.insert(std::stoi(message->body));
        }
        if (!harmed && std::chrono::steady_clock::now() - began > 240s) {
            break;
        }
    }
    INFO(published << " published, " << ledger.acked.size() << " acknowledged");
    CHECK(static_cast<int>(ledger.seen.size()) == published);
    CHECK(ledger.acked_again == 0);
    CHECK(ledger.disorder == 0);
    until_it_works([&] {
        for (const auto &lag : consumer->lag()) {
            CHECK((lag.pending == 0 && lag.backlog == 0));
        }
    });
}

TEST_CASE("an acknowledgement that fails is kept, and repeated over a new connection") {
    test::RedisServer server;
    test::TcpProxy proxy(server.port(), test::TcpProxy::Protocol::opaque, "XACK");
    const auto broker = through(proxy);
    broker->publish("t", test::numbered(0, 30));
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    const Batch got = test::read_count(*consumer, 30);
    proxy.arm(test::Fault::cut_before);
    consumer->ack(std::span(got).first(10));
    CHECK(consumer->lag().at(0).pending == 20); // whatever comes next takes it along
    proxy.arm(test::Fault::reply_lost);
    consumer->ack(std::span(got).subspan(10, 10));
    proxy.refuse(true);
    proxy.cut();
    consumer->ack(std::span(got).subspan(20, 5));
    proxy.refuse(false);
    CHECK(test::read_rest(*consumer).empty());
    CHECK(consumer->lag().at(0).pending == 5);
    CHECK(proxy.fired(test::Fault::cut_before) == 1);
    CHECK(proxy.fired(test::Fault::reply_lost) == 1);
}

TEST_CASE("entries whose answer was lost on the way come with the next connection, to sharing readers too") {
    test::RedisServer server;
    test::TcpProxy proxy(server.port());
    const auto broker = through(proxy);
    for (const bool parallel : {false, true}) {
        server.command({"DEL", "t"});
        broker->publish("t", test::numbered(0, 10));
        const auto consumer = broker->subscribe({"g", "c", {"t"}, parallel});
        if (!parallel) {
            test::claim_all(*consumer);
        }
        Batch got = test::read_count(*consumer, 10);
        proxy.stall(test::Way::to_client);
        auto waiting = std::async(std::launch::async, [&] {
            try {
                return consumer->read({}, 10s);
            } catch (const broker::Unavailable &) {
                return Batch();
            }
        });
        // The server has given them out, and the answer is stuck on its way.
        for (int number = 10; number < 15; ++number) {
            server.command({"XADD", "t", "*", "event", std::to_string(number)});
        }
        CHECK(test::eventually([&] { return std::stoi(server.command({"XPENDING", "t", "g"})) > 10; }));
        proxy.cut();
        proxy.resume();
        for (const auto &message : waiting.get()) {
            got.push_back(message);
        }
        while (got.size() < 15) {
            const Batch more = read_through_outages(*consumer, {}, 2s);
            REQUIRE(!more.empty());
            got.insert(got.end(), more.begin(), more.end());
        }
        CHECK(test::bodies(got) == test::expected(0, 15));
        consumer->ack(got);
        CHECK(consumer->lag().at(0).pending == 0);
    }
}

TEST_CASE("a waiting reader is woken although the server stands still, and says so when that lasts") {
    test::RedisServer server;
    const auto broker = test::open_redis(server, "timeout_ms=700");
    broker->publish("t", test::numbered(0, 1));
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    consumer->ack(test::read_count(*consumer, 1));
    CHECK(consumer->read({}, 10ms).empty());
    server.pause();
    std::atomic<bool> done{false};
    auto woken = std::async(std::launch::async, [&] {
        const bool empty = consumer->read({}, 60s).empty();
        done = true;
        return empty;
    });
    CHECK(test::eventually([&] {
        consumer->wake();
        return done.load();
    }));
    CHECK(woken.get());
    std::string text;
    try {
        consumer->read({}, 100ms);
        consumer->read({}, 100ms);
    } catch (const broker::Unavailable &failure) {
        text = failure.what();
    }
    CHECK_THAT(text, Catch::Contains("no answer within 700 ms"));
    server.resume();
    broker->publish("t", test::numbered(1, 3));
    Batch got;
    while (got.size() < 3) {
        const Batch more = read_through_outages(*consumer, {}, 2s);
        REQUIRE(!more.empty());
        got.insert(got.end(), more.begin(), more.end());
    }
    CHECK(test::bodies(got) == test::expected(1, 3));
}

TEST_CASE("a connection that was closed while idle is made again without an error") {
    test::RedisServer server;
    const auto broker = test::open_redis(server);
    broker->publish("t", test::numbered(0, 1));
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    consumer->ack(test::read_count(*consumer, 1));
    for (int turn = 1; turn < 4; ++turn) {
        server.command({"CLIENT", "KILL", "TYPE", "normal"});
        broker->publish("t", test::numbered(turn, 1));
        const Batch got = test::read_count(*consumer, 1);
        CHECK(test::bodies(got) == test::expected(turn, 1));
        consumer->ack(got);
        CHECK(broker->topics().size() == 1);
    }
}
