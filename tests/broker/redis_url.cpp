// SPDX-License-Identifier: Apache-2.0
#include "broker/redis/redis_broker.hpp"

#include <catch2/catch.hpp>

namespace {
using namespace weir;

broker::RedisOptions parsed(const std::string &url) {
    broker::RedisOptions options;
    const auto problem = broker::parse_redis_url(url, options);
    CAPTURE(url, problem.value_or(""));
    REQUIRE(!problem);
    return options;
}

std::string problem_of(const std::string &url) {
    broker::RedisOptions options;
    options.host = "unchanged";
    const auto problem = broker::parse_redis_url(url, options);
    CAPTURE(url);
    REQUIRE(problem);
    CHECK(options.host == "unchanged");
    CHECK(problem->find("broker.url") == 0);
    CHECK(problem->find("secret") == std::string::npos);
    return *problem;
}
} // namespace

TEST_CASE("a Redis url names host, port, database, user and password") {
    const auto plain = parsed("redis://localhost");
    CHECK((plain.host == "localhost" && plain.port == 6379 && plain.database == 0 && plain.user.empty() && plain.password.empty()));
    const auto full = parsed("redis://weir:s%40c%2Fr%3Aet%25@10.0.0.7:6380/3?partitions=8&max_messages=1000&max_age_s=60&trim=always&"
                             "connect_timeout_ms=100&timeout_ms=200");
    CHECK((full.host == "10.0.0.7" && full.port == 6380 && full.database == 3 && full.user == "weir"));
    CHECK(full.password == "s@c/r:et%");
    CHECK((full.partitions == 8 && full.max_messages == 1000 && full.max_age == std::chrono::seconds(60) && full.trim_unread));
    CHECK((full.connect_timeout == std::chrono::milliseconds(100) && full.timeout == std::chrono::milliseconds(200)));
    CHECK(full.place() == "redis://10.0.0.7:6380/3");
    const auto by_default_user = parsed("redis://:p?a:ss@h/0");
    CHECK((by_default_user.user.empty() && by_default_user.password == "p?a:ss" && by_default_user.database == 0));
    const auto six = parsed("redis://[2001:db8::1]:7000/1");
    CHECK((six.host == "2001:db8::1" && six.port == 7000));
    CHECK(six.place() == "redis://[2001:db8::1]:7000/1");
    CHECK(parsed("redis://[::1]").host == "::1");
    CHECK(parsed("redis://h/").database == 0);
}

TEST_CASE("a Redis url may name a Unix socket") {
    const auto plain = parsed("redis+unix:///run/redis/redis.sock");
    CHECK((plain.unix_socket == "/run/redis/redis.sock" && plain.database == 0 && plain.password.empty()));
    const auto full = parsed("redis+unix://weir:pw@/run/re%20dis.sock?db=2&partitions=3");
    CHECK((full.unix_socket == "/run/re dis.sock" && full.database == 2 && full.user == "weir" && full.password == "pw"));
    CHECK(full.place() == "redis+unix:///run/re dis.sock?db=2");
}

TEST_CASE("a Redis url may ask for TLS, with redis-py's names for its parameters") {
    const auto plain = parsed("rediss://weir:pw@h:6380/2");
    CHECK((plain.tls && plain.tls_verify && plain.tls_check_host && plain.tls_ca.empty() && plain.tls_certificate.empty()));
    CHECK((plain.port == 6380 && plain.database == 2 && plain.user == "weir" && plain.password == "pw"));
    CHECK(plain.place() == "rediss://h:6380/2");
    const auto full = parsed("rediss://h?ssl_ca_certs=/a%26b/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem&partitions=2");
    CHECK((full.tls_ca == "/a&b/ca.pem" && full.tls_certificate == "/c.pem" && full.tls_key == "/k.pem" && full.partitions == 2));
    CHECK_FALSE(parsed("rediss://h?ssl_cert_reqs=none").tls_verify);
    CHECK_FALSE(parsed("rediss://h?ssl_check_hostname=false").tls_check_host);
    CHECK(parsed("rediss://h?ssl_cert_reqs=required&ssl_check_hostname=true").tls_check_host);
    CHECK_FALSE(parsed("redis://h").tls);
    CHECK(problem_of("rediss://h?ssl_cert_reqs=optional").find("ssl_cert_reqs must be required or none") != std::string::npos);
    CHECK(problem_of("rediss://h?ssl_check_hostname=1").find("true or false") != std::string::npos);
    CHECK(problem_of("rediss://h?ssl_ca_certs=ca.pem").find("absolute path") != std::string::npos);
    CHECK(problem_of("rediss://h?ssl_ca=/ca.pem").find("ssl_ca_certs") != std::string::npos);
    CHECK(problem_of("rediss://h?ssl_keyfile=/k.pem").find("ssl_certfile") != std::string::npos);
    CHECK(problem_of("rediss://h?certs=1").find("ssl_ca_certs") != std::string::npos);
    CHECK(problem_of("redis://h?ssl_cert_reqs=none").find("rediss://") != std::string::npos);
    CHECK(problem_of("redis+unix:///s?ssl_cert_reqs=none").find("rediss://") != std::string::npos);
}

TEST_CASE("what is wrong with a Redis url is said without its password") {
    CHECK(problem_of("rediss+unix:///x").find("redis://") != std::string::npos);
    CHECK(problem_of("http://secret@h").find("redis://HOST") != std::string::npos);
    CHECK(problem_of("redis://").find("host is missing") != std::string::npos);
    CHECK(problem_of("redis://:6379").find("host is missing") != std::string::npos);
    CHECK(problem_of("redis:///1").find("host is missing") != std::string::npos);
    for (const char *port : {"0", "65536", "x", "", "-1", "63790000000000000000", "6379x"}) {
        CHECK(problem_of("redis://h:" + std::string(port)).find("port") != std::string::npos);
    }
    for (const char *database : {"x", "-1", "1/2", "99999999999"}) {
        CHECK(problem_of("redis://h/" + std::string(database)).find("database") != std::string::npos);
    }
    CHECK(problem_of("redis://::1:6379").find("brackets") != std::string::npos);
    CHECK(problem_of("redis://[::1").find("brackets") != std::string::npos);
    CHECK(problem_of("redis://[::1]x").find("brackets") != std::string::npos);
    CHECK(problem_of("redis://secret@h").find(":PASSWORD") != std::string::npos);
    CHECK(problem_of("redis://user:@h").find("password is missing") != std::string::npos);
    for (const char *escape : {"%", "%4", "%zz", "%4z"}) {
        CHECK(problem_of("redis://u:secret" + std::string(escape) + "@h").find("%25") != std::string::npos);
    }
    CHECK(problem_of("redis://u:secret#1@h").find("%23") != std::string::npos);
    CHECK(problem_of("redis://h?partitions=0").find("partitions must be") != std::string::npos);
    CHECK(problem_of("redis://h?partitions=1025").find("partitions must be") != std::string::npos);
    CHECK(problem_of("redis://h?max_messages=-1").find("max_messages must be") != std::string::npos);
    CHECK(problem_of("redis://h?trim=never").find("acknowledged or always") != std::string::npos);
    CHECK(problem_of("redis://h?timeout_ms=").find("timeout_ms must be") != std::string::npos);
    CHECK(problem_of("redis://h?prefetch=1").find("known are") != std::string::npos);
    CHECK(problem_of("redis://h?db=1").find("redis://HOST/DATABASE") != std::string::npos);
    CHECK(problem_of("redis+unix://").find("path is missing") != std::string::npos);
    CHECK(problem_of("redis+unix://relative.sock").find("path is missing") != std::string::npos);
    CHECK(problem_of("redis+unix:///a%00b").find("00") != std::string::npos);
    CHECK(problem_of("redis+unix:///" + std::string(120, 'x')).find("107") != std::string::npos);
    CHECK(problem_of("redis+unix:///x?db=-1").find("db must be") != std::string::npos);
}
