// SPDX-License-Identifier: Apache-2.0
// Servers and settings that are wrong: each is told from an outage, and says which key to change and how.
#include "contract_support.hpp"
#include "proxy.hpp"
#include "redis_fixture.hpp"

#include "broker/redis/examine.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace {
using namespace weir;
using namespace std::chrono_literals;
using Catch::Contains;

template <typename Failure> std::string message_of(const std::function<void()> &action) {
    try {
        action();
    } catch (const Failure &failure) {
        const std::string text = failure.what();
        CHECK_THAT(text, Contains("broker.url"));
        CHECK_THAT(text, !Contains("secret"));
        return text;
    } catch (const std::exception &other) {
        FAIL("another exception: " << other.what());
    }
    FAIL("no exception");
    return {};
}
const auto refusal = message_of<broker::Misconfigured>;
const auto outage = message_of<broker::Unavailable>;

/// Something that listens, says the same to everybody who says something, and hangs up; or is silent where it has nothing to say.
class Mouth {
public:
    explicit Mouth(std::string words) : words_(std::move(words)), file_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(bind(file_, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
        REQUIRE(listen(file_, 8) == 0);
        socklen_t size = sizeof address;
        REQUIRE(getsockname(file_, reinterpret_cast<sockaddr *>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
        if (!words_.empty()) {
            thread_ = std::thread([this] { talk(); });
        }
    }
    ~Mouth() {
        shutdown(file_, SHUT_RDWR);
        if (thread_.joinable()) {
            thread_.join();
        }
        close(file_);
    }
    Mouth(const Mouth &) = delete;
    Mouth &operator=(const Mouth &) = delete;
    std::uint16_t port() const { return port_; }

private:
    void talk() const {
        for (;;) {
            const int client = accept(file_, nullptr, nullptr);
            if (client < 0) {
                return;
            }
            char heard[1024];
            if (recv(client, heard, sizeof heard, 0) > 0) {
                [[maybe_unused]] const auto sent = send(client, words_.data(), words_.size(), MSG_NOSIGNAL);
            }
            close(client);
        }
    }
    const std::string words_;
    const int file_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

void publish_one(broker::Broker &broker) { broker.publish("t", test::numbered(0, 1)); }
} // namespace

TEST_CASE("a wrong, missing or needless password is a refusal that names broker.url") {
    test::RedisOptions options;
    options.requirepass = "secret-1";
    const test::RedisServer server(options);
    publish_one(*test::open_redis(server));
    const std::string place = "127.0.0.1:" + std::to_string(server.port());
    const auto with = [&](const std::string &login) { return broker::open_redis_broker(test::redis_options("redis://" + login + place)); };
    CHECK_THAT(refusal([&] { with(":secret-2@")->topics(); }), Contains("refuses the user or the password"));
    CHECK_THAT(refusal([&] { with("nobody:secret-1@")->topics(); }), Contains("refuses the user or the password"));
    const auto findings = broker::examine_redis(test::redis_options("redis://:secret-2@" + place), {});
    REQUIRE(findings.size() == 1);
    CHECK_THAT(findings[0].what, Contains("refuses the user or the password"));
    CHECK_THAT(findings[0].remedy, Contains("change that on the server") && !Contains("start it"));
    CHECK_THAT(refusal([&] { with("")->topics(); }), Contains("wants a password"));
    CHECK_THAT(refusal([&] { publish_one(*with("")); }), Contains("wants a password"));
    CHECK_THAT(refusal([&] { test::subscribe(*with(""), "c")->partitions(); }), Contains("wants a password"));
}

TEST_CASE("a database that the server doesn't have is a refusal") {
    const test::RedisServer server;
    const auto broker = broker::open_redis_broker(test::redis_options(server.url(4711)));
    CHECK_THAT(refusal([&] { broker->topics(); }), Contains("no database 4711"));
    const auto fifth = broker::open_redis_broker(test::redis_options(server.url(5)));
    publish_one(*fifth);
    CHECK(fifth->topics().size() == 1);
    CHECK(test::open_redis(server)->topics().empty());
    const auto through_socket = broker::open_redis_broker(test::redis_options(server.unix_url(5)));
    CHECK(through_socket->topics().size() == 1);
}

TEST_CASE("a missing right is a refusal that says what to grant") {
    test::RedisOptions options;
    options.acl =
        "user default on nopass ~* &* +@all\n"
        "user reader on >secret ~t ~t.* +@all -xadd -xgroup\n"
        "user elsewhere on >secret ~other* +@all\n"
        "user weir on >secret ~t ~t.* +hello +auth +select +type +xinfo +xgroup +xreadgroup +xack +xpending +xclaim +xrange +xrevrange "
        "+xlen +xadd +multi +exec +scan +client|unblock\n";
    const test::RedisServer server(options);
    server.command({"XADD", "t", "*", "event", "1"});
    const auto as = [&](const std::string &user) { return broker::open_redis_broker(test::redis_options(server.url(user, "secret"))); };
    const std::string no_publish = refusal([&] { publish_one(*as("reader")); });
    CHECK_THAT(no_publish, Contains("XADD") && Contains("ACL SETUSER reader +xadd ~t"));
    const std::string no_group = refusal([&] { test::claim_all(*test::subscribe(*as("reader"), "c")); });
    CHECK_THAT(no_group, Contains("+xgroup"));
    const std::string no_key = refusal([&] { test::subscribe(*as("elsewhere"), "c")->partitions(); });
    CHECK_THAT(no_key, Contains("on 't'") && Contains("~t"));
    // What docs/redis.md lists is enough.
    const auto broker = as("weir");
    publish_one(*broker);
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    const auto got = test::read_count(*consumer, 2);
    CHECK(got.size() == 2);
    consumer->ack(got);
    CHECK(consumer->lag().at(0).pending == 0);
    const auto parallel = broker->subscribe({"p", "c", {"t"}, true});
    CHECK(test::read_count(*parallel, 2).size() == 2);
    parallel->renew(0ms);
    CHECK(broker->topics().size() == 1);
    CHECK(broker->browse({"t", 0}, std::nullopt, 10).size() == 2);
    CHECK_THAT(broker->guarantee(), Contains("CONFIG GET"));
}

TEST_CASE("a replica is refused, and a master that becomes one is left") {
    test::RedisServer master;
    test::RedisOptions options;
    options.replica_of_port = master.port();
    test::RedisServer replica(options);
    CHECK_THAT(refusal([&] { publish_one(*test::open_redis(replica)); }), Contains("replica") && Contains("master"));
    const auto broker = test::open_redis(master);
    publish_one(*broker);
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    consumer->ack(test::read_count(*consumer, 1));
    master.command({"REPLICAOF", "127.0.0.1", "1"});
    CHECK_THAT(refusal([&] { publish_one(*broker); }), Contains("replica"));
    CHECK_THAT(refusal([&] { consumer->read({}, 10ms); }), Contains("replica"));
    master.command({"REPLICAOF", "NO", "ONE"});
    publish_one(*broker);
    CHECK(test::read_count(*consumer, 1).size() == 1);
}

TEST_CASE("a server out of memory is an outage for publishing that passes, and a publish then takes nothing") {
    test::RedisOptions options;
    options.maxmemory_bytes = 8u << 20;
    const test::RedisServer server(options);
    const auto broker = test::open_redis(server);
    std::vector<broker::Outgoing> batch(100, {"k", {}, std::string(20000, 'x')});
    std::string text;
    std::size_t taken = 0;
    try {
        for (int turn = 0; turn < 20; ++turn) {
            broker->publish("t", batch);
            taken += batch.size();
        }
    } catch (const broker::Unavailable &failure) {
        text = failure.what();
    }
    CHECK_THAT(text, Contains("maxmemory") && Contains("max_messages"));
    CHECK(server.command({"XLEN", "t"}) == std::to_string(taken));
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    CHECK(test::read_count(*consumer, taken, {10, 4u << 20}).size() == taken);
    server.command({"CONFIG", "SET", "maxmemory", "0"});
    publish_one(*broker);
}

TEST_CASE("a key of another type is a refusal that names it, a plain and a partitioned stream at once too") {
    const test::RedisServer server;
    server.command({"HSET", "t", "a", "b"});
    const auto broker = test::open_redis(server);
    const auto consumer = test::subscribe(*broker, "c");
    CHECK_THAT(refusal([&] { consumer->partitions(); }), Contains("'t' is not a stream"));
    CHECK_THAT(refusal([&] { publish_one(*broker); }), Contains("'t' is not a stream"));
    CHECK_THAT(refusal([&] { broker->browse({"t", 0}, std::nullopt, 1); }), Contains("'t' is not a stream"));
    CHECK(broker->topics().empty());
    server.command({"DEL", "t"});
    publish_one(*broker);
    test::claim_all(*consumer);
    CHECK(test::read_count(*consumer, 1).size() == 1);
    server.command({"DEL", "t"});
    server.command({"SET", "t", "text"});
    CHECK_THAT(refusal([&] { consumer->read({}, 100ms); }), Contains("'t' is not a stream"));
    CHECK_THAT(refusal([&] { publish_one(*broker); }), Contains("'t' is not a stream"));
    server.command({"DEL", "t"});
    server.command({"XADD", "t.0", "*", "event", "1"});
    server.command({"SET", "t.2", "text"});
    CHECK_THAT(refusal([&] { consumer->partitions(); }), Contains("'t.2' is not a stream"));
    server.command({"DEL", "t.2"});
    CHECK(consumer->partitions().size() == 1);
    server.command({"XADD", "t", "*", "event", "1"});
    CHECK_THAT(refusal([&] { consumer->partitions(); }), Contains("'t'") && Contains("'t.0'"));
    CHECK_THAT(refusal([&] { publish_one(*test::open_redis(server)); }), Contains("'t'") && Contains("'t.0'"));
    server.command({"DEL", "t.0"});
    server.command({"HSET", "t.1", "a", "b"}); // beside a plain stream it is nobody's business
    CHECK(consumer->partitions() == std::vector<broker::Partition>{{"t", 0}});
}

TEST_CASE("a server that can't be reached is an outage, whatever is asked, and opening it is not") {
    const auto broker = broker::open_redis_broker(test::redis_options("redis://127.0.0.1:1"));
    const auto consumer = test::subscribe(*broker, "c");
    CHECK_THAT(outage([&] { publish_one(*broker); }), Contains("redis://127.0.0.1:1") && Contains("connect"));
    outage([&] { broker->topics(); });
    outage([&] { broker->guarantee(); });
    outage([&] { consumer->partitions(); });
    outage([&] { consumer->claim({"t", 0}, std::nullopt); });
    outage([&] { consumer->lag(); });
    CHECK_THAT(outage([&] { broker::open_redis_broker(test::redis_options("redis+unix:///nowhere/redis.sock"))->topics(); }),
               Contains("/nowhere/redis.sock"));
    CHECK_THAT(outage([&] { broker::open_redis_broker(test::redis_options("redis://no-such-host.invalid"))->topics(); }),
               Contains("no-such-host.invalid"));
}

TEST_CASE("what is no Redis, or says nothing, is an outage with a reason") {
    test::RedisServer server;
    test::TcpProxy proxy(server.port());
    const std::string place = "redis://127.0.0.1:" + std::to_string(proxy.port());
    const auto broker = broker::open_redis_broker(test::redis_options(place, "timeout_ms=300&connect_timeout_ms=300"));
    publish_one(*broker);
    server.pause();
    CHECK_THAT(outage([&] { publish_one(*broker); }), Contains("no answer within 300 ms"));
    CHECK_THAT(outage([&] { broker->topics(); }), Contains("300 ms"));
    server.resume();
    CHECK(broker->topics().size() == 1);
    const Mouth web_server("HTTP/1.1 400 Bad Request\r\n\r\n");
    const auto other = broker::open_redis_broker(test::redis_options("redis://127.0.0.1:" + std::to_string(web_server.port())));
    CHECK_THAT(outage([&] { other->topics(); }), Contains("does not speak Redis's protocol"));
    const Mouth mute("");
    const auto silent = broker::open_redis_broker(
        test::redis_options("redis://127.0.0.1:" + std::to_string(mute.port()), "connect_timeout_ms=200&timeout_ms=200"));
    CHECK_THAT(outage([&] { silent->topics(); }), Contains("no answer within 200 ms"));
    const Mouth old("-ERR unknown command `HELLO`, with args beginning with: `2`\r\n");
    const auto five = broker::open_redis_broker(test::redis_options("redis://127.0.0.1:" + std::to_string(old.port())));
    CHECK_THAT(refusal([&] { five->topics(); }), Contains("older than Redis 6.2"));
    const Mouth six("*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n6.0.16\r\n");
    const auto too_old = broker::open_redis_broker(test::redis_options("redis://127.0.0.1:" + std::to_string(six.port())));
    CHECK_THAT(refusal([&] { too_old->topics(); }), Contains("6.0.16") && Contains("6.2"));
    for (const auto &[words, wanted] : std::vector<std::pair<std::string, std::string>>{
             {"-LOADING Redis is loading the dataset in memory", "loading"},
             {"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "master"},
             {"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", "disk"},
             {"-BUSY Redis is busy running a script.", "script"},
             {"-NOREPLICAS Not enough good replicas to write.", "min-replicas-to-write"},
             {"-ERR something that nobody knows", "something that nobody knows"}}) {
        const Mouth mouth(words + "\r\n");
        const auto one = broker::open_redis_broker(test::redis_options("redis://127.0.0.1:" + std::to_string(mouth.port())));
        CHECK_THAT(outage([&] { one->topics(); }), Contains(wanted));
    }
    for (const auto &[words, wanted] : std::vector<std::pair<std::string, std::string>>{
             {"-DENIED Redis is running in protected mode because protected mode is enabled", "protected mode"},
             {"-MOVED 3999 127.0.0.1:6381", "Cluster"},
             {"-ERR unknown command 'SCAN', with args beginning with: ", "older than Redis 6.2"}}) {
        const Mouth mouth(words + "\r\n");
        const auto one = broker::open_redis_broker(test::redis_options("redis://127.0.0.1:" + std::to_string(mouth.port())));
        CHECK_THAT(refusal([&] { one->topics(); }), Contains(wanted));
    }
}

TEST_CASE("a server that takes no more clients is an outage that says so") {
    test::RedisOptions options;
    options.settings = {{"maxclients", "4"}};
    const test::RedisServer server(options);
    std::vector<std::unique_ptr<broker::Broker>> many;
    std::string text;
    for (int number = 0; number < 10 && text.empty(); ++number) {
        many.push_back(test::open_redis(server));
        try {
            many.back()->topics();
        } catch (const broker::Unavailable &failure) {
            text = failure.what();
        }
    }
    CHECK_THAT(text, Contains("maxclients"));
}
