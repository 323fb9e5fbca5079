// SPDX-License-Identifier: Apache-2.0
// Where a host listens, what it keeps for operations, and what of its HTTP settings changes while it runs.
#include "http_host.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

const std::string kToken = "0123456789abcdef0123456789abcdef";
const std::string kOtherToken = "fedcba9876543210fedcba9876543210";
const std::string kDeadLetter = "/api/deadletters/votes/1";

/// The port of a listener, as the log tells it.
std::uint16_t port_of(const HostProcess &process, const std::string &listener) {
    for (const std::string &line : process.said("http.listening")) {
        const auto said = nlohmann::json::parse(line);
        if (said["listener"] == listener) {
            const std::string address = said["address"];
            return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
        }
    }
    return 0;
}

/// Replaces the `http` section of the file that a host reads.
void configure(const Installation &installation, const nlohmann::json &http) {
    const auto written = installation.root() / "weir.json.new";
    write_file(written, nlohmann::json{{"domains_directory", "domains"}, {"http", http}}.dump());
    std::filesystem::rename(written, installation.config());
}

std::string vote_of(std::size_t bytes) { return R"({"vote":"cats","note":")" + std::string(bytes - 25, 'x') + "\"}"; }

} // namespace

TEST_CASE("operations with an address of their own are served there alone, also while every public connection is taken") {
    Installation installation({"votes"});
    installation.set("http.operations.listen", "127.0.0.1:0");
    installation.set("http.max_connections", "4");
    installation.set("http.max_connections_per_address", "2");
    installation.set("http.operations.reserve_connections", "2");
    HttpHost host(installation);
    host.wait_ready();
    REQUIRE(eventually([&] { return port_of(host.process(), "operations") != 0; }));
    const std::uint16_t operations = port_of(host.process(), "operations");
    for (const char *path :
         {"/health", "/ready", "/metrics", "/api/domains", "/api/plugins", "/api/topics", "/api/deadletters?domain=votes"}) {
        INFO(path);
        CHECK(host.ask("GET", path).status == 404);
        CHECK(http(operations, "GET", path).status == 200);
    }
    CHECK(host.ask("POST", kDeadLetter + "/drop").status == 404);
    CHECK(host.ask("GET", "/api/results").status == 200);
    CHECK(http(operations, "GET", "/api/results").status == 404);
    CHECK(http(operations, "GET", "/").status == 404);
    CHECK_THAT(host.ask("GET", "/openapi.json").body, Contains("/api/vote") && !Contains("/ready"));
    CHECK_THAT(http(operations, "GET", "/openapi.json").body, !Contains("/api/vote") && Contains("/ready"));

    std::vector<RawClient> crowd;
    for (const char *from : {"127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.2"}) {
        crowd.emplace_back(host.port(), "127.0.0.1", from);
        REQUIRE(crowd.back().connected());
    }
    REQUIRE(eventually([&] { return host.ask("GET", "/api/results").status == 503; }));
    CHECK(host.process().said("http.connections_full", {"http.max_connections"}));
    for (int count = 0; count < 10; ++count) {
        crowd.emplace_back(operations);
    }
    for (const char *path : {"/health", "/ready", "/metrics", "/api/domains"}) {
        INFO(path);
        CHECK(http(operations, "GET", path).status == 200);
    }
    crowd.clear();
    host.ask_until(200, "GET", "/api/results");
    CHECK(host.stop() == 0);
}

TEST_CASE("where everything has one address, operations are answered while every connection is taken") {
    Installation installation({"votes"});
    installation.set("http.max_connections", "3");
    installation.set("http.max_connections_per_address", "0");
    HttpHost host(installation);
    host.wait_ready();
    std::vector<RawClient> crowd;
    for (int count = 0; count < 3; ++count) {
        crowd.emplace_back(host.port());
    }
    HttpAnswer answer;
    REQUIRE(eventually([&] {
        answer = host.ask("GET", "/api/results");
        return answer.status == 503;
    }));
    CHECK(answer.header("Retry-After") == "5");
    for (const char *path : {"/health", "/ready", "/metrics", "/api/domains", "/api/topics", "/openapi.json"}) {
        INFO(path);
        CHECK(host.ask("GET", path).status == 200);
    }
    CHECK_THAT(host.ask("GET", "/metrics").body, Contains("weir_http_connections_refused_total "));
    crowd.clear();
    host.ask_until(200, "GET", "/api/results");
    CHECK(host.stop() == 0);
}

TEST_CASE("a body of a MiB is taken where nothing is said, and one that is longer by a byte is a 413") {
    Installation installation({"votes"});
    HttpHost host(installation);
    host.wait_ready();
    const auto drop = [&](std::size_t bytes) { return host.ask("POST", kDeadLetter + "/drop", "{}" + std::string(bytes - 2, ' ')).status; };
    CHECK(drop(std::size_t(1) << 20) == 404); // there is no such letter
    CHECK(drop((std::size_t(1) << 20) + 1) == 413);
    CHECK(host.stop() == 0);
}

TEST_CASE("limits, tokens and origins change while a host runs, also back, and keys that need a restart are named") {
    Installation installation({"votes"});
    configure(installation, {{"max_body_bytes", 100}});
    HttpHost host(installation);
    host.wait_ready();
    const auto vote = [&](std::size_t bytes) { return host.ask("POST", "/api/vote", vote_of(bytes)).status; };
    const auto becomes = [&](const nlohmann::json &http, const std::function<bool()> &condition) {
        configure(installation, http);
        const bool came = eventually(condition, 60s);
        INFO(http.dump() << "\n" << host.process().log());
        CHECK(came);
    };
    CHECK(vote(200) == 413);
    becomes({{"max_body_bytes", 2000}}, [&] { return vote(200) != 413; });
    CHECK(vote(2001) == 413);
    becomes({{"max_body_bytes", 100}}, [&] { return vote(200) == 413; }); // as it was at the start
    becomes({{"max_body_bytes", 1000000}}, [&] { return vote(200) != 413; });
    CHECK(vote(5000) == 413); // the route's own bound

    const auto header = [&](std::size_t bytes) { return host.ask("GET", "/health", "", {{"X-Long", std::string(bytes, 'x')}}).status; };
    CHECK(header(2000) == 200);
    becomes({{"max_header_bytes", 1000}}, [&] { return header(2000) == 431; });

    const auto letter = [&](const std::string &token) {
        std::vector<std::pair<std::string, std::string>> fields;
        if (!token.empty()) {
            fields.emplace_back("Authorization", "Bearer " + token);
        }
        return host.ask("GET", kDeadLetter, "", fields).status;
    };
    CHECK(letter("") == 404); // it may be asked for, and isn't there
    becomes({{"operations", {{"trust_local", false}}}}, [&] { return letter("") == 403; });
    becomes({{"operations", {{"trust_local", false}, {"token", kToken}}}}, [&] { return letter(kToken) == 404; });
    CHECK(letter("") == 401);
    becomes({{"operations", {{"trust_local", false}, {"token", kOtherToken}}}}, [&] { return letter(kOtherToken) == 404; });
    CHECK(letter(kToken) == 401);
    write_file(installation.root() / "token", kToken + "\n");
    const nlohmann::json from_file{{"operations", {{"trust_local", false}, {"token_file", "token"}}}};
    becomes(from_file, [&] { return letter(kToken) == 404; });
    write_file(installation.root() / "token", kOtherToken + "\n");
    host.process().signal(SIGHUP);
    CHECK(eventually([&] { return letter(kOtherToken) == 404; }, 60s));
    CHECK(letter(kToken) == 401);

    const auto allowed = [&] {
        return host.ask("GET", "/health", "", {{"Origin", "https://app.example"}}).header("Access-Control-Allow-Origin");
    };
    CHECK_FALSE(allowed());
    becomes({{"cors", {{"origins", {"https://app.example"}}}}}, [&] { return allowed() == "https://app.example"; });

    const auto by_name = [&] { // as a browser on this machine asks that knows it by this name
        RawClient client(host.port());
        client.send("GET " + kDeadLetter + " HTTP/1.1\r\nHost: weir.example:8080\r\n\r\n");
        return client.answer().status;
    };
    CHECK(by_name() == 403);
    becomes({{"host_names", {"weir.example"}}}, [&] { return by_name() == 404; });
    becomes({{"host_names", {"other.example"}}}, [&] { return by_name() == 403; });

    becomes({{"max_event_streams", 0}},
            [&] { return host.ask("GET", "/api/results/events").body.find("http.max_event_streams allows (0)") != std::string::npos; });
    CHECK(eventually([&] { return host.process().said("http.streams_full", {"http.max_event_streams", "127.0.0.1"}); }));

    RawClient held(host.port());
    REQUIRE(held.connected());
    becomes({{"max_connections", 1}}, [&] { return host.ask("GET", "/api/results").status == 503; });
    becomes({{"max_connections", 100}}, [&] { return host.ask("GET", "/api/results").status == 200; });

    CHECK_FALSE(host.process().said("config.needs_restart", {"http."}));
    becomes({{"listen", "127.0.0.1:1"},
             {"workers", 7},
             {"io_threads", 2},
             {"stop_timeout_ms", 1234},
             {"max_header_bytes", 1000},
             {"operations", {{"stalled_after_ms", 1234}}}},
            [&] { return header(2000) == 431; });
    for (const char *key : {"http.workers", "http.io_threads", "http.stop_timeout_ms", "http.operations.stalled_after_ms"}) {
        INFO(key);
        CHECK(host.process().said("config.needs_restart", {"\"" + std::string(key) + "\""}));
    }
    configure(installation, {{"max_header_bytes", 1}});
    CHECK(eventually([&] { return host.process().said("config.refused", {"max_header_bytes"}); }, 60s));
    CHECK(header(2000) == 431); // the old one stays
    CHECK(header(200) == 200);
    CHECK(host.stop() == 0);
}
