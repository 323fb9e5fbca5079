// SPDX-License-Identifier: Apache-2.0
#include "http_host.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

std::vector<Backends> both_pairs() { return {Backends{}, on_servers()}; }

std::string vote_for(const std::string &option) { return R"({"vote":")" + option + "\"}"; }
std::vector<std::pair<std::string, std::string>> key(const std::string &text) { return {{"Idempotency-Key", text}}; }

nlohmann::json results(const HttpHost &host) { return nlohmann::json::parse(host.ask_until(200, "GET", "/api/results").body); }

} // namespace

TEST_CASE("a vote over HTTP is in the stream when it is answered, and in the results soon") {
    for (const Backends &backends : both_pairs()) {
        INFO(backends.name());
        Installation installation({"votes"}, backends);
        HttpHost host(installation);
        host.ask_until(200, "GET", "/api/results");
        for (int i = 0; i < 3; ++i) {
            const HttpAnswer answer = host.ask("POST", "/api/vote", vote_for("cats"));
            INFO(answer.body);
            CHECK(answer.status == 202);
        }
        CHECK(host.ask("POST", "/api/vote", vote_for("dogs")).status == 202);
        CHECK(host.ask("POST", "/api/vote", vote_for("birds")).status == 422);
        CHECK(host.ask("POST", "/api/vote", "{").status == 400);
        REQUIRE(eventually([&] { return results(host)["total"] == 4; }, 60s));
        CHECK(results(host) == nlohmann::json::parse(R"({"options":["cats","dogs"],"counts":{"cats":3,"dogs":1},"total":4,
            "percentages":{"cats":75.0,"dogs":25.0}})"));
        CHECK(host.ask("POST", "/api/vote", vote_for("cats"), key("a")).status == 202);
        CHECK(host.ask("POST", "/api/vote", vote_for("cats"), key("a")).status == 202);
        CHECK(host.ask("POST", "/api/vote", vote_for("dogs"), key("a")).status == 422);
        REQUIRE(eventually([&] { return results(host)["total"] == 5; }, 60s));
        CHECK(host.stop() == 0);
        CHECK(number(installation.domain("votes"), "select count(*) from dead_letter_queue") == 0);
    }
}

TEST_CASE("the voting page is served with its script, its style sheet, and a stream of results") {
    Installation installation({"votes"});
    HttpHost host(installation);
    host.wait_ready(); // until then routes come, and streams of an older table are ended
    const HttpAnswer page = host.ask("GET", "/");
    CHECK(page.status == 200);
    CHECK_THAT(page.header("Content-Type").value_or(""), Contains("text/html"));
    CHECK_THAT(page.header("Content-Security-Policy").value_or(""), Contains("script-src 'self'") && Contains("default-src 'none'"));
    CHECK_THAT(page.body, Contains("votes/page.js") && Contains("votes/page.css"));
    CHECK_THAT(host.ask("GET", "/votes/page.js").header("Content-Type").value_or(""), Contains("text/javascript"));
    CHECK_THAT(host.ask("GET", "/votes/page.css").header("Content-Type").value_or(""), Contains("text/css"));
    RawClient stream(host.port());
    stream.send("GET /api/results/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    REQUIRE(stream.header().status == 200);
    CHECK_THAT(stream.read_until("\"total\":0", 60s), Contains("\"total\":0"));
    REQUIRE(host.ask("POST", "/api/vote", vote_for("cats")).status == 202);
    CHECK_THAT(stream.read_until("\"total\":1", 60s), Contains("\"total\":1"));
    CHECK(host.stop() == 0);
}

TEST_CASE("while the broker is away a vote is answered with a problem, results are still read, and afterwards all goes on") {
    const Backends backends = on_servers();
    Installation installation({"votes"}, backends);
    HttpHost host(installation);
    host.ask_until(202, "POST", "/api/vote", vote_for("cats"));
    REQUIRE(eventually([&] { return results(host)["total"] == 1; }, 60s));
    backends.redis->kill();
    const HttpAnswer away = host.ask("POST", "/api/vote", vote_for("cats"), key("away"));
    INFO(away.body);
    CHECK((away.status == 502 || away.status == 503));
    CHECK_THAT(away.header("Content-Type").value_or(""), Contains("application/problem+json"));
    CHECK(results(host)["total"] == 1);
    backends.redis->start();
    host.ask_until(202, "POST", "/api/vote", vote_for("cats"), key("away"));
    CHECK(eventually([&] { return results(host)["total"] == 2; }, 60s));
    CHECK(host.stop() == 0);
}

TEST_CASE("votes that are each repeated under their key until they are taken count once, while hosts are killed and started again") {
    const int votes = knob("WEIR_TEST_HTTP_VOTES", 600);
    const int kills = knob("WEIR_TEST_HTTP_KILLS", 3);
    constexpr int clients = 8;
    for (const Backends &backends : both_pairs()) {
        INFO(backends.name());
        Installation installation({"votes"}, backends);
        HttpHost host(installation);
        host.ask_until(200, "GET", "/api/results");
        std::atomic<int> next{0};
        std::atomic<int> taken{0};
        std::atomic<int> asked{0};
        std::atomic<bool> wrong{false};
        std::vector<std::thread> threads;
        for (int client = 0; client < clients; ++client) {
            threads.emplace_back([&] {
                for (int number = next++; number < votes && !wrong; number = next++) {
                    eventually(
                        [&] {
                            ++asked;
                            const int status =
                                host.ask("POST", "/api/vote", vote_for(number % 3 ? "cats" : "dogs"), key("vote-" + std::to_string(number)))
                                    .status;
                            // Whoever asks in vain asks again; what can't be is a refusal of the vote itself.
                            wrong = wrong || (status != 0 && status != 202 && status < 500);
                            return status == 202 || wrong;
                        },
                        std::chrono::minutes(5));
                    ++taken;
                }
            });
        }
        for (int kill = 1; kill <= kills; ++kill) {
            eventually([&] { return taken >= votes * kill / (kills + 1) || wrong; }, std::chrono::minutes(5));
            host.kill();
            host.start();
        }
        for (std::thread &thread : threads) {
            thread.join();
        }
        REQUIRE_FALSE(wrong);
        CHECK(taken == votes);
        REQUIRE(eventually([&] { return results(host)["total"] == votes && installation.backlog("votes", "vote-processors") == 0; }, 120s));
        CHECK(host.stop() == 0);
        const auto counted = tally(installation.domain("votes"), "select option, count from vote_counts");
        CHECK(counted == std::map<std::string, std::int64_t>{{"cats", votes - (votes + 2) / 3}, {"dogs", (votes + 2) / 3}});
        std::printf("%s: %d votes, %d requests, %d kills\n", backends.name().c_str(), votes, asked.load(), kills);
    }
}
