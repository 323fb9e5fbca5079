// SPDX-License-Identifier: Apache-2.0
#include "server_process.hpp"
#include "servers.hpp"
#include "support.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace weir::test;

namespace {

/// PATH for the duration of a test.
class PathVariable {
public:
    explicit PathVariable(const char *value) : former_(std::getenv("PATH")) { ::setenv("PATH", value, 1); }
    ~PathVariable() { ::setenv("PATH", former_.c_str(), 1); }
    PathVariable(const PathVariable &) = delete;
    PathVariable &operator=(const PathVariable &) = delete;

private:
    std::string former_;
};

/// A process that holds a Redis and a PostgreSQL, tells their directories, and waits for its death.
[[noreturn]] void hold_servers(int told) {
    {
        RedisServer redis;
        PostgresServer postgres;
        const std::string line = redis.socket().parent_path().string() + "\n" + postgres.socket_directory().string() + "\n" +
                                 std::to_string(redis.port()) + "\n" + std::to_string(postgres.port()) + "\n";
        if (::write(told, line.data(), line.size()) == static_cast<ssize_t>(line.size())) {
            ::close(told);
            for (;;) {
                ::pause();
            }
        }
    }
    ::_exit(1);
}

} // namespace

TEST_CASE("A Redis starts on a port of its own, beside another one, and keeps its data over a stop and a kill") {
    RedisOptions options;
    options.appendfsync = "always";
    RedisServer one(options);
    RedisServer other;
    REQUIRE(one.port() != other.port());
    one.command({"SET", "key", std::string("a\0b", 3)});
    CHECK(other.command({"GET", "key"}).empty());
    one.restart();
    CHECK(one.command({"GET", "key"}) == std::string("a\0b", 3));
    one.command({"XADD", "stream", "1-1", "field", "value"});
    one.kill();
    CHECK_FALSE(one.running());
    CHECK_THROWS_WITH(one.command({"PING"}), Catch::Contains("cannot be reached"));
    one.start();
    CHECK(one.command({"XRANGE", "stream", "-", "+"}) == "1-1\nfield\nvalue");
    CHECK_THROWS_WITH(one.command({"GET", "stream"}), Catch::Contains("WRONGTYPE"));
}

TEST_CASE("A Redis takes passwords, users, a limit of memory, and another one as its primary") {
    RedisOptions options;
    options.requirepass = "secret";
    options.maxmemory_bytes = 1;
    RedisServer one(options);
    CHECK(one.url() == "redis://:secret@127.0.0.1:" + std::to_string(one.port()) + "/0");
    CHECK(one.unix_url(3) == "redis+unix://:secret@" + one.socket().string() + "?db=3");
    CHECK(one.command({"PING"}) == "PONG");
    CHECK_THROWS_WITH(one.command({"SET", "key", "value"}), Catch::Contains("OOM"));

    RedisOptions with_users;
    with_users.acl = "user default off\nuser weir on >other ~topic* &* +@all";
    with_users.appendonly = false;
    RedisServer guarded(with_users);
    CHECK(guarded.url("weir", "other", 1) == "redis://weir:other@127.0.0.1:" + std::to_string(guarded.port()) + "/1");
    CHECK_THROWS_WITH(guarded.command({"GET", "key"}), Catch::Contains("NOAUTH"));

    RedisServer primary;
    RedisOptions replica_options;
    replica_options.replica_of_port = primary.port();
    RedisServer replica(replica_options);
    primary.command({"SET", "key", "value"});
    CHECK(eventually([&] { return replica.command({"GET", "key"}) == "value"; }));
    CHECK_THROWS_WITH(replica.command({"SET", "key", "value"}), Catch::Contains("READONLY"));
}

TEST_CASE("A PostgreSQL starts with the role and database weir, and keeps its data over a stop and a kill") {
    PostgresOptions options;
    options.settings["application_name"] = "support";
    PostgresServer one(options);
    PostgresServer other;
    REQUIRE(one.port() != other.port());
    CHECK(one.url() == "postgresql://weir:weir-secret@127.0.0.1:" + std::to_string(one.port()) + "/weir");
    one.query("CREATE TABLE t(a int, b text); INSERT INTO t VALUES (1, NULL)");
    CHECK_THROWS_WITH(other.query("SELECT * FROM t"), Catch::Contains("does not exist"));
    one.restart();
    CHECK(one.query("SELECT a, b FROM t") == std::vector<PostgresServer::Row>{{"1", std::nullopt}});
    one.query("INSERT INTO t VALUES (2, 'x')");
    one.kill();
    CHECK_FALSE(one.running());
    CHECK_THROWS_WITH(one.query("SELECT 1"), Catch::Contains("cannot be reached"));
    one.start();
    CHECK(one.query("SELECT count(*) FROM t") == std::vector<PostgresServer::Row>{{"2"}});
    CHECK(one.query("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = 'weir'") == std::vector<PostgresServer::Row>{{"f", "t"}});
    CHECK(one.query("SHOW application_name") == std::vector<PostgresServer::Row>{{"support"}});
}

TEST_CASE("Databases and roles are made, and passwords are asked for on the port") {
    PostgresServer server;
    const std::string first = server.create_database();
    const std::string second = server.create_database();
    CHECK(first != second);
    CHECK(server.create_database("named") == "named");
    server.create_role("poor", "word", "NOINHERIT");
    const std::string asked = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '" + first + "'";
    CHECK(server.query(asked, second) == std::vector<PostgresServer::Row>{{"weir"}});
    const std::filesystem::path psql = find_executable("psql", {}, "postgresql");
    const Account me{::geteuid(), ::getegid()};
    CHECK_NOTHROW(run_program({psql.string(), server.url(first), "-c", "SELECT 1"}, me));
    CHECK_NOTHROW(run_program({psql.string(), server.url(first, "poor", "word"), "-c", "SELECT 1"}, me));
    CHECK_THROWS_WITH(run_program({psql.string(), server.url(first, "poor", "wrong"), "-c", "SELECT 1"}, me),
                      Catch::Contains("password authentication failed"));
}

TEST_CASE("A server that stands still answers when it goes on, and can be ended before that") {
    PostgresServer postgres;
    RedisServer redis;
    std::vector<PostgresServer::Row> rows;
    postgres.pause();
    redis.pause();
    std::atomic<bool> answered = false;
    std::thread client([&] {
        rows = postgres.query("SELECT 7");
        answered = true;
    });
    CHECK(postgres.running());
    CHECK(redis.running());
    CHECK_FALSE(eventually([&] { return answered.load(); }, std::chrono::milliseconds(100)));
    postgres.resume();
    redis.resume();
    client.join();
    CHECK(rows == std::vector<PostgresServer::Row>{{"7"}});
    CHECK(redis.command({"PING"}) == "PONG");
    postgres.pause();
    redis.pause();
}

TEST_CASE("Servers live on when the thread that started them has ended") {
    std::unique_ptr<RedisServer> redis;
    std::unique_ptr<PostgresServer> postgres;
    std::thread([&] {
        redis = std::make_unique<RedisServer>();
        postgres = std::make_unique<PostgresServer>();
    }).join();
    CHECK(redis->command({"PING"}) == "PONG");
    CHECK(postgres->query("SELECT 1").size() == 1);
}

TEST_CASE("Servers and directories are gone when the test process has been killed") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    // A process of its own image: a fork of this one would have its threads missing.
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    const std::string channel = std::to_string(ends[1]);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(ends[0]);
        ::setenv("WEIR_TEST_HOLD_SERVERS", channel.c_str(), 1);
        ::execl(program.c_str(), program.c_str(), "holds servers for another test", static_cast<char *>(nullptr));
        ::_exit(127);
    }
    ::close(ends[1]);
    std::FILE *const told = ::fdopen(ends[0], "r");
    char redis[256] = "";
    char postgres[256] = "";
    int redis_port = 0;
    int postgres_port = 0;
    REQUIRE(std::fscanf(told, "%255s %255s %d %d", redis, postgres, &redis_port, &postgres_port) == 4);
    std::fclose(told);
    REQUIRE(std::filesystem::exists(redis));
    REQUIRE(std::filesystem::exists(postgres));
    const std::string process = "/proc/" + read_file(std::string(postgres) + "/data/postmaster.pid").substr(0, 10);
    const std::string postmaster = process.substr(0, process.find('\n'));
    REQUIRE(std::filesystem::exists(postmaster));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(eventually([&] { return !std::filesystem::exists(redis) && !std::filesystem::exists(postgres); }, std::chrono::seconds(30)));
    CHECK(eventually([&] { return !std::filesystem::exists(postmaster); }, std::chrono::seconds(30)));
}

TEST_CASE("holds servers for another test", "[.]") {
    if (const char *channel = std::getenv("WEIR_TEST_HOLD_SERVERS")) {
        hold_servers(std::atoi(channel));
    }
}

TEST_CASE("A server that does not start says why, and a missing package says what to run") {
    RedisOptions options;
    options.settings["no-such-setting"] = "1";
    CHECK_THROWS_WITH(RedisServer(options), Catch::Contains("does not start") && Catch::Contains("no-such-setting"));
    PostgresOptions wrong;
    wrong.settings["no_such_setting"] = "1";
    CHECK_THROWS_WITH(PostgresServer(wrong), Catch::Contains("does not start") && Catch::Contains("no_such_setting"));
    const PathVariable nothing("/nonexistent");
    CHECK_THROWS_WITH(find_executable("redis-server", {}, "redis-server"), Catch::Contains("scripts/install-dependencies.sh"));
}
