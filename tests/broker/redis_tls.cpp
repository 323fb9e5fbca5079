// SPDX-License-Identifier: Apache-2.0
// rediss://, with Debian's redis-server and certificates made here.
#include "contract_support.hpp"
#include "redis_fixture.hpp"
#include "server_process.hpp"
#include "tls_files.hpp"

#include "broker/redis/examine.hpp"

#include <catch2/catch.hpp>

namespace {
using namespace weir;
using namespace std::chrono_literals;
using Catch::Contains;

/// A server that speaks TLS beside the plain protocol.
class TlsServer {
public:
    explicit TlsServer(const test::TlsFiles &files, const std::string &certificate = "server", bool wants_certificates = false)
        : port(test::free_port()), redis(options(files.settings(port, certificate, wants_certificates))) {}

    std::string url(const std::string &host = "127.0.0.1") const { return "rediss://" + host + ":" + std::to_string(port) + "/0"; }
    std::unique_ptr<broker::Broker> open(const std::string &parameters, const std::string &host = "127.0.0.1") const {
        return broker::open_redis_broker(test::redis_options(url(host), parameters));
    }

    const std::uint16_t port;
    test::RedisServer redis;

private:
    static test::RedisOptions options(std::map<std::string, std::string> settings) {
        test::RedisOptions options;
        options.settings = std::move(settings);
        return options;
    }
};

std::string refusal(broker::Broker &broker) {
    try {
        broker.topics();
    } catch (const broker::Misconfigured &failure) {
        const std::string text = failure.what();
        CHECK_THAT(text, Contains("broker.url"));
        return text;
    }
    FAIL("it was not refused");
    return {};
}

std::string connections(const test::RedisServer &server) {
    const std::string stats = server.command({"INFO", "stats"});
    const auto at = stats.find("total_connections_received:");
    return stats.substr(at, stats.find('\r', at) - at);
}

std::string ca(const test::TlsFiles &files) { return "ssl_ca_certs=" + files.file("ca.crt"); }
} // namespace

TEST_CASE("a topic is published, read and acknowledged over TLS, megabytes at once, and again after the server was killed") {
    const test::TlsFiles files;
    TlsServer server(files);
    const auto broker = server.open(ca(files));
    std::mt19937_64 random(test::seed());
    std::vector<broker::Outgoing> sent;
    for (int number = 0; number < 3000; ++number) {
        sent.push_back({"k", {}, std::to_string(number) + std::string(random() % (number % 100 == 0 ? 300'000 : 2'000), 'x')});
    }
    broker->publish("t", sent);
    const auto consumer = test::subscribe(*broker, "c");
    test::claim_all(*consumer);
    const auto got = test::read_count(*consumer, sent.size(), {1000, 8u << 20});
    REQUIRE(got.size() == sent.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        REQUIRE(got[i]->body == sent[i].body);
    }
    consumer->ack(got);
    CHECK(consumer->lag().at(0).pending == 0);
    server.redis.kill();
    server.redis.start();
    REQUIRE(test::eventually([&] {
        try {
            broker->publish("t", test::numbered(0, 1));
            return true;
        } catch (const broker::Unavailable &) {
            return false;
        }
    }));
    REQUIRE(test::eventually([&] {
        try {
            return !consumer->read({}, 100ms).empty();
        } catch (const broker::Unavailable &) {
            return false;
        }
    }));
}

TEST_CASE("a connection over TLS that nobody used for a while is used again") {
    const test::TlsFiles files;
    const TlsServer server(files);
    const auto broker = server.open(ca(files));
    broker->topics();
    const std::string before = connections(server.redis); // counts the one that asks
    broker->topics();
    broker->topics();
    CHECK(std::stoi(connections(server.redis).substr(before.find(':') + 1)) == std::stoi(before.substr(before.find(':') + 1)) + 1);
}

TEST_CASE("a server whose certificate is not trusted, or is another's, is refused, and how to trust it is said") {
    const test::TlsFiles files;
    const TlsServer server(files);
    CHECK_THAT(refusal(*server.open("")), Contains("ssl_ca_certs") && Contains("rediss://127.0.0.1"));
    CHECK_NOTHROW(server.open("ssl_cert_reqs=none")->topics());
    CHECK_NOTHROW(server.open(ca(files), "localhost")->topics());

    // Files are read for each connection: what is renewed needs no restart.
    const std::string renewed = files.file("renewed.crt");
    std::filesystem::copy_file(files.file("server.crt"), renewed);
    const auto waiting = server.open("ssl_ca_certs=" + renewed);
    CHECK_THAT(refusal(*waiting), Contains("ssl_ca_certs"));
    std::filesystem::copy_file(files.file("ca.crt"), renewed, std::filesystem::copy_options::overwrite_existing);
    CHECK_NOTHROW(waiting->topics());

    files.sign("elsewhere", "subjectAltName=DNS:elsewhere.example,IP:127.0.0.9");
    const TlsServer elsewhere(files, "elsewhere");
    CHECK_THAT(refusal(*elsewhere.open(ca(files))), Contains("ssl_check_hostname") && Contains("IP address mismatch"));
    CHECK_THAT(refusal(*elsewhere.open(ca(files), "localhost")), Contains("ssl_check_hostname") && Contains("hostname mismatch"));
    CHECK_NOTHROW(elsewhere.open(ca(files) + "&ssl_check_hostname=false")->topics());

    files.sign("old", "subjectAltName=IP:127.0.0.1", -1);
    const TlsServer old(files, "old");
    CHECK_THAT(refusal(*old.open(ca(files))), Contains("expired") && Contains("renewed"));

    const auto findings = broker::examine_redis(test::redis_options(server.url(), "ssl_cert_reqs=none"), {});
    CHECK(std::any_of(findings.begin(), findings.end(),
                      [](const auto &finding) { return finding.name == "redis_tls" && finding.health == health::Health::warning; }));
}

TEST_CASE("a server that wants a certificate gets it, and who shows none learns which parameters name it") {
    const test::TlsFiles files;
    const TlsServer server(files, "server", true);
    const std::string shown = "&ssl_certfile=" + files.file("client.crt") + "&ssl_keyfile=" + files.file("client.key");
    CHECK_NOTHROW(server.open(ca(files) + shown)->topics());
    CHECK_THAT(refusal(*server.open(ca(files))), Contains("ssl_certfile") && Contains("ssl_keyfile"));
}

TEST_CASE("files for TLS that can't be used are named with their parameter") {
    const test::TlsFiles files;
    const TlsServer server(files);
    const auto refused = [&](const std::string &parameters) { return refusal(*server.open(parameters)); };
    CHECK_THAT(refused("ssl_ca_certs=/nowhere/ca.crt"), Contains("ssl_ca_certs names /nowhere/ca.crt") && Contains("No such file"));
    CHECK_THAT(refused("ssl_ca_certs=" + files.file("ca.key")), Contains("ssl_ca_certs names") && Contains("no certificates in PEM"));
    CHECK_THAT(refused(ca(files) + "&ssl_certfile=" + files.file("client.crt") + "&ssl_keyfile=" + files.file("server.key")),
               Contains("ssl_keyfile names") && Contains("belongs to ssl_certfile"));
    CHECK_THAT(refused(ca(files) + "&ssl_certfile=" + files.file("client.crt")), Contains("ssl_certfile names") && Contains("no key"));
    files.run("ec -in client.key -aes256 -passout pass:secret -out locked.key");
    CHECK_THAT(refused(ca(files) + "&ssl_certfile=" + files.file("client.crt") + "&ssl_keyfile=" + files.file("locked.key")),
               Contains("ssl_keyfile names") && Contains("without a passphrase"));
}

TEST_CASE("TLS on a plain port, and a plain protocol on a port for TLS, end in a message that says so, in time") {
    const test::TlsFiles files;
    const TlsServer server(files);
    const std::string plain = "127.0.0.1:" + std::to_string(server.redis.port());
    const auto message = [](const std::string &url, const std::string &parameters) -> std::string {
        const auto broker = broker::open_redis_broker(test::redis_options(url, parameters));
        const auto began = std::chrono::steady_clock::now();
        try {
            broker->topics();
        } catch (const std::exception &failure) {
            CHECK(std::chrono::steady_clock::now() - began < 20s);
            return failure.what();
        }
        return {};
    };
    CHECK_THAT(message("rediss://" + plain, "connect_timeout_ms=300"), Contains("speak TLS") && Contains("broker.url"));
    CHECK_THAT(message("redis://127.0.0.1:" + std::to_string(server.port), "connect_timeout_ms=2000"),
               Contains("rediss://") && Contains("broker.url"));
}
