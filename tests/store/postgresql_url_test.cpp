// SPDX-License-Identifier: Apache-2.0
#include "postgresql_places.hpp"

using namespace weir::store;
using namespace weir::store::postgresql;
using namespace weir::test;

namespace {

std::string parameter(const PostgresqlOptions &options, const std::string &name) {
    std::string value;
    for (const auto &[key, given] : options.parameters) {
        value = key == name ? given : value;
    }
    return value;
}

std::string problem_with(const std::string &url) {
    PostgresqlOptions options;
    const auto problem = parse_postgresql_url(url, options);
    INFO(url);
    REQUIRE(problem);
    CHECK(problem->find("store.url") != std::string::npos);
    CHECK(options.parameters.empty());
    return *problem;
}

/// What is said where a store can't be reached.
std::string failure_at(const std::string &url) {
    const auto store = open_postgresql_store(options_for(url));
    const std::string message = refusal_of<Unavailable>([&] { store->has_domain("contract"); });
    CHECK(message.find("store.url") != std::string::npos);
    CHECK(message.find("hush") == std::string::npos);
    return message;
}

bool says(const std::string &message, const char *part) {
    INFO(message);
    CHECK(message.find(part) != std::string::npos);
    return true;
}

} // namespace

TEST_CASE("a PostgreSQL url is read with all its parts, and named without its password") {
    const auto options = options_for("postgresql://weir:s%40%2Fcret@db.example:6432/app?sslmode=require&statement_timeout_ms=1500");
    CHECK(parameter(options, "user") == "weir");
    CHECK(parameter(options, "password") == "s@/cret");
    CHECK(parameter(options, "host") == "db.example");
    CHECK(parameter(options, "port") == "6432");
    CHECK(parameter(options, "dbname") == "app");
    CHECK(parameter(options, "sslmode") == "require");
    CHECK(options.statement_timeout == std::chrono::milliseconds(1500));
    CHECK(options.name == "postgresql://weir@db.example:6432/app");
}

TEST_CASE("the urls that SQLAlchemy takes are understood") {
    for (const char *scheme : {"postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"}) {
        const auto options = options_for(std::string(scheme) + "://u:p@h/d");
        CHECK(parameter(options, "user") == "u");
        CHECK(parameter(options, "dbname") == "d");
    }
}

TEST_CASE("IPv6 addresses, several hosts and unix sockets are understood") {
    CHECK(parameter(options_for("postgresql://[::1]:5433/d"), "host") == "::1");
    CHECK(parameter(options_for("postgresql://[::1]:5433/d"), "port") == "5433");
    const auto several = options_for("postgresql://a:1,b:2/d?target_session_attrs=read-write");
    CHECK(parameter(several, "host") == "a,b");
    CHECK(parameter(several, "port") == "1,2");
    CHECK(parameter(options_for("postgresql://%2Fvar%2Frun%2Fpostgresql/d"), "host") == "/var/run/postgresql");
    CHECK(parameter(options_for("postgresql:///d?host=/tmp/s&user=u"), "host") == "/tmp/s");
}

TEST_CASE("a url that can't be read is refused with what to write, without its password") {
    says(problem_with("mysql://u:hush@h/d"), "postgresql://");
    says(problem_with("postgresql://u:p/w@h/d"), "%2F");
    says(problem_with("postgresql://u:hu@sh@h/d"), "%40");
    says(problem_with("postgresql://u:hush%zz@h/d"), "%25");
    says(problem_with("postgresql://u:hush@h:0/d"), "port");
    says(problem_with("postgresql://u:hush@[::1/d"), "brackets");
    says(problem_with("postgresql://h/d?sslmod=require"), "did you mean 'sslmode'");
    says(problem_with("postgresql://h/d?ssl=require"), "sslmode=require");
    says(problem_with("postgresql://h/d?pool_size=5"), "store.pool.max");
    says(problem_with("postgresql://h/d?statement_timeout_ms=soon"), "number");
    for (const char *url : {"postgresql://u:hush%zz@h/d", "postgresql://u:hush@h:0/d", "postgresql://u:hush@h/d?x=1"}) {
        CHECK(problem_with(url).find("hush") == std::string::npos);
    }
}

TEST_CASE("a server that can't be reached is told with the key to change, and never with the password") {
    PostgresServer &server = postgres();
    says(failure_at(server.url("weir", "weir", "hush")), "password");
    says(failure_at(server.url("nowhere")), "create it");
    says(failure_at("postgresql://weir:hush@127.0.0.1:1/weir"), "the server runs");
    says(failure_at("postgresql://weir:hush@no-such-host.invalid/weir"), "can't be reached");
    says(failure_at("postgresql:///weir?host=/nonexistent&user=weir&password=hush"), "/nonexistent");
}

TEST_CASE("a password with every sign in it opens the door") {
    const std::string password = "a b'c\\d\"e=f&g%h@/:?#\xC3\xA9";
    std::string quoted;
    std::string escaped;
    for (const char c : password) {
        quoted += c == '\'' ? "''" : std::string(1, c);
        char digits[4];
        std::snprintf(digits, sizeof digits, "%%%02X", static_cast<unsigned char>(c));
        escaped += digits;
    }
    postgres().query("create role careful login password '" + quoted + "'", "postgres");
    const auto store =
        open_postgresql_store(options_for("postgresql://careful:" + escaped + "@127.0.0.1:" + std::to_string(postgres().port()) + "/weir"));
    CHECK_FALSE(store->has_domain("contract"));
    says(store->guarantee(), "synchronous_commit=on");
}

TEST_CASE("a unix socket is as good as a port") {
    const auto store = open_postgresql_store(options_for("postgresql:///weir?user=weir&port=" + std::to_string(postgres().port()) +
                                                         "&host=" + postgres().socket_directory().string()));
    CHECK_FALSE(store->has_domain("contract"));
}
