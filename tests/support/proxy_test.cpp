// SPDX-License-Identifier: Apache-2.0
#include "proxy.hpp"
#include "servers.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <optional>
#include <poll.h>

using namespace weir::test;

namespace {

constexpr std::chrono::milliseconds kShort(150); ///< for what must not happen; a slow machine makes such a check weaker, never red

PostgresServer &postgres() {
    static PostgresServer server;
    return server;
}
RedisServer &redis() {
    static RedisServer server;
    return server;
}

/// A client of PostgreSQL through a proxy.
class Client {
public:
    explicit Client(const TcpProxy &proxy) {
        const std::string port = std::to_string(proxy.port());
        const char *const names[] = {"host", "port", "dbname", "user", "password", "connect_timeout", nullptr};
        const char *const values[] = {"127.0.0.1", port.c_str(), "weir", "weir", PostgresServer::kPassword, "20", nullptr};
        connection_ = PQconnectdbParams(names, values, 0);
    }
    ~Client() { PQfinish(connection_); }
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;
    bool connected() const { return PQstatus(connection_) == CONNECTION_OK; }
    /// The command tag, or the SQLSTATE, or "lost".
    std::string run(const std::string &sql) { return outcome(PQexec(connection_, sql.c_str())); }
    /// By the extended protocol.
    std::string run_extended(const std::string &sql) {
        return outcome(PQexecParams(connection_, sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0));
    }
    int socket() const { return PQsocket(connection_); }
    void send(const std::string &sql) { REQUIRE(PQsendQuery(connection_, sql.c_str()) == 1); }
    std::string receive() {
        const std::string result = outcome(PQgetResult(connection_));
        PQclear(PQgetResult(connection_));
        return result;
    }

private:
    std::string outcome(PGresult *result) const {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        const std::string text = !connected() ? "lost" : state ? state : PQcmdStatus(result);
        PQclear(result);
        return text;
    }
    PGconn *connection_;
};

bool readable(int socket, std::chrono::milliseconds patience) {
    pollfd entry{socket, POLLIN, 0};
    return ::poll(&entry, 1, static_cast<int>(patience.count())) == 1;
}

std::string rows(const std::string &table) { return postgres().query("SELECT count(*) FROM " + table)[0][0].value(); }

using Redis = std::unique_ptr<redisContext, decltype(&redisFree)>;
Redis redis_client(const TcpProxy &proxy) {
    Redis client(redisConnectWithTimeout("127.0.0.1", proxy.port(), timeval{20, 0}), &redisFree);
    if (client && !client->err) {
        redisSetTimeout(client.get(), timeval{20, 0});
    }
    return client;
}
std::string ask(const Redis &client, const char *command) {
    auto *const reply = static_cast<redisReply *>(redisCommand(client.get(), command));
    const std::string text = !reply       ? "lost"
                             : reply->str ? std::string(reply->str, static_cast<std::size_t>(reply->len))
                                          : std::to_string(reply->integer);
    freeReplyObject(reply);
    return text;
}

} // namespace

TEST_CASE("A proxy passes everything on, large and small, in both protocols") {
    TcpProxy proxy(postgres().port(), TcpProxy::Protocol::postgresql);
    Client client(proxy);
    REQUIRE(client.connected());
    CHECK(proxy.connections() == 1);
    CHECK(client.run("CREATE TABLE large(t text)") == "CREATE TABLE");
    CHECK(client.run("INSERT INTO large VALUES ('" + std::string(9'000'000, 'x') + "')") == "INSERT 0 1");
    CHECK(client.run("SELECT * FROM large") == "SELECT 1");
    CHECK(client.run_extended("SELECT length(t) FROM large") == "SELECT 1");

    TcpProxy other(redis().port());
    const Redis one = redis_client(other);
    CHECK(ask(one, "SET passed yes") == "OK");
    CHECK(redis().command({"GET", "passed"}) == "yes");
    const std::string value(9'000'000, 'y');
    redis().command({"SET", "large", value});
    CHECK(ask(one, "GET large") == value);
}

TEST_CASE("A proxy cuts what is connected, and takes new connections afterwards") {
    TcpProxy proxy(postgres().port(), TcpProxy::Protocol::postgresql);
    Client client(proxy);
    REQUIRE(client.run("SELECT 1") == "SELECT 1");
    proxy.cut();
    CHECK(proxy.connections() == 0);
    CHECK(client.run("SELECT 1") == "lost");
    CHECK(Client(proxy).connected());
}

TEST_CASE("A proxy refuses connections until it takes them again") {
    TcpProxy proxy(redis().port());
    proxy.refuse(true);
    CHECK(std::string(redis_client(proxy)->errstr) == "Connection refused");
    proxy.refuse(false);
    CHECK(ask(redis_client(proxy), "PING") == "PONG");
}

TEST_CASE("A stalled way holds bytes back and loses none") {
    const Way way = GENERATE(Way::to_server, Way::to_client);
    TcpProxy proxy(postgres().port(), TcpProxy::Protocol::postgresql);
    Client client(proxy);
    client.run("DROP TABLE IF EXISTS stalled");
    client.run("CREATE TABLE stalled(a int)");
    proxy.stall(way);
    client.send("INSERT INTO stalled VALUES (1)");
    if (way == Way::to_client) {
        CHECK(eventually([] { return rows("stalled") == "1"; }));
    }
    CHECK_FALSE(readable(client.socket(), kShort));
    if (way == Way::to_server) {
        CHECK(rows("stalled") == "0");
    }
    proxy.resume();
    CHECK(client.receive() == "INSERT 0 1");
    CHECK(rows("stalled") == "1");
}

TEST_CASE("A half-closed connection ends on one side and goes on on the other") {
    TcpProxy proxy(redis().port());
    const Redis client = redis_client(proxy);
    REQUIRE(ask(client, "PING") == "PONG");
    SECTION("The client sees the end, the server still hears it") {
        proxy.half_close(Way::to_client);
        CHECK(ask(client, "SET half yes") == "lost");
        CHECK(eventually([] { return redis().command({"GET", "half"}) == "yes"; }));
    }
    SECTION("The server sees the end, and the client its goodbye") {
        proxy.half_close(Way::to_server);
        CHECK(ask(client, "SET unheard yes") == "lost");
        CHECK(redis().command({"GET", "unheard"}).empty());
    }
}

TEST_CASE("A delayed connection is as much later, in the same order") {
    TcpProxy proxy(redis().port());
    const Redis client = redis_client(proxy);
    proxy.delay(std::chrono::milliseconds(30));
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 1; i <= 3; ++i) {
        CHECK(ask(client, "INCR delayed") == std::to_string(i));
    }
    CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(3 * 2 * 30));
}

TEST_CASE("A proxy does harm to a COMMIT") {
    TcpProxy proxy(postgres().port(), TcpProxy::Protocol::postgresql);
    postgres().query("DROP TABLE IF EXISTS harmed; CREATE TABLE harmed(a int); GRANT ALL ON harmed TO weir");
    const bool extended = GENERATE(false, true);
    CAPTURE(extended);
    const auto commit = [&](Client &client, const std::string &word) {
        REQUIRE(client.run("BEGIN") == "BEGIN");
        REQUIRE(client.run("INSERT INTO harmed VALUES (1)") == "INSERT 0 1");
        return extended ? client.run_extended(word) : client.run(word);
    };
    Client client(proxy);
    SECTION("Nothing is armed: it commits, and is counted") {
        CHECK(commit(client, "COMMIT") == "COMMIT");
        CHECK(commit(client, " end ;") == "COMMIT");
        CHECK(commit(client, "ROLLBACK") == "ROLLBACK");
        CHECK(client.run("SELECT 'COMMIT'") == "SELECT 1");
        CHECK(proxy.marks() == 2);
        CHECK(rows("harmed") == "2");
    }
    SECTION("Cut before the server hears of it: nothing is committed") {
        proxy.arm(Fault::cut_before);
        CHECK(commit(client, "COMMIT") == "lost");
        CHECK(eventually(
            [] { return postgres().query("SELECT 1 FROM pg_stat_activity WHERE usename = 'weir' AND state <> 'idle'").empty(); }));
        CHECK(rows("harmed") == "0");
        CHECK(proxy.fired(Fault::cut_before) == 1);
    }
    SECTION("The reply is lost: it is committed, and the client does not know") {
        proxy.arm(Fault::reply_lost);
        CHECK(commit(client, "COMMIT") == "lost");
        CHECK(rows("harmed") == "1");
        CHECK(proxy.fired(Fault::reply_lost) == 1);
        Client again(proxy);
        CHECK(commit(again, "COMMIT") == "COMMIT");
        CHECK(rows("harmed") == "2");
    }
    SECTION("A reply that says no is passed on, and the fault stays armed") {
        proxy.arm(Fault::reply_lost);
        CHECK(client.run("BEGIN") == "BEGIN");
        CHECK(client.run("SELECT 1/0") == "22012");
        CHECK(client.run("COMMIT") == "ROLLBACK");
        CHECK(proxy.fired(Fault::reply_lost) == 0);
        CHECK(proxy.armed() == 1);
    }
    SECTION("It rolls back instead, once, and the connection goes on") {
        proxy.arm(Fault::rolled_back);
        CHECK(commit(client, "COMMIT") == "ROLLBACK");
        CHECK(rows("harmed") == "0");
        CHECK(commit(client, "COMMIT") == "COMMIT");
        CHECK(rows("harmed") == "1");
        CHECK(proxy.fired(Fault::rolled_back) == 1);
    }
    SECTION("It fails with an error, twice, and the connection goes on") {
        proxy.arm(Fault::refused, 2);
        CHECK(commit(client, "COMMIT") == "40001");
        CHECK(proxy.armed() == 1);
        CHECK(commit(client, "COMMIT TRANSACTION") == "40001");
        CHECK(rows("harmed") == "0");
        CHECK(commit(client, "COMMIT") == "COMMIT");
        CHECK(proxy.fired(Fault::refused) == 2);
    }
    SECTION("The last statement of several is a mark too") {
        proxy.arm(Fault::rolled_back);
        CHECK(client.run("BEGIN; INSERT INTO harmed VALUES (2); COMMIT") == "ROLLBACK");
        CHECK(rows("harmed") == "0");
    }
    SECTION("What has been disarmed does not happen") {
        proxy.arm(Fault::cut_before, 3);
        proxy.disarm();
        CHECK(commit(client, "COMMIT") == "COMMIT");
        CHECK(proxy.fired(Fault::cut_before) == 0);
    }
}

TEST_CASE("A proxy does harm to the request that carries a text") {
    TcpProxy proxy(redis().port(), TcpProxy::Protocol::opaque, "INCRBY");
    redis().command({"DEL", "number"});
    const Redis client = redis_client(proxy);
    CHECK(ask(client, "INCRBY number 1") == "1");
    proxy.arm(Fault::cut_before);
    CHECK(ask(client, "INCRBY number 1") == "lost");
    CHECK(redis().command({"GET", "number"}) == "1");
    proxy.arm(Fault::reply_lost);
    const Redis other = redis_client(proxy);
    CHECK(ask(other, "GET number") == "1");
    CHECK(ask(other, "INCRBY number 1") == "lost");
    CHECK(redis().command({"GET", "number"}) == "2");
    CHECK(proxy.marks() == 3);
    CHECK_THROWS_AS(proxy.arm(Fault::refused), std::invalid_argument);
    TcpProxy plain(redis().port());
    CHECK_THROWS_AS(plain.arm(Fault::cut_before), std::invalid_argument);
}
