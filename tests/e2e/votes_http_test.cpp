// SPDX-License-Identifier: Apache-2.0
#include "http_host.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdio>
#include <memory>
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
        CHECK(host.ask_until(200, "GET", "/api/results").header("Cache-Control") ==
              "public, max-age=1"); // so that crowds cost one read a second
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
    CHECK_THAT(page.body, Contains("<button type=\"button\">cats</button><button type=\"button\">dogs</button>"));
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

TEST_CASE("a key is one vote at every host of a group, and another body under it is refused at every host") {
    Installation installation({"votes"}, on_servers());
    HttpHost one(installation, "-one");
    HttpHost other(installation, "-other");
    one.ask_until(202, "POST", "/api/vote", vote_for("cats"), key("k"));
    other.ask_until(202, "POST", "/api/vote", vote_for("cats"), key("k"));
    CHECK(other.ask("POST", "/api/vote", vote_for("dogs"), key("k")).status == 422);
    CHECK(one.ask("POST", "/api/vote", vote_for("dogs"), key("k")).status == 422);
    REQUIRE(other.ask("POST", "/api/vote", vote_for("dogs"), key("last")).status == 202);
    for (const HttpHost *host : {&one, &other}) {
        REQUIRE(eventually([&] { return results(*host)["counts"]["dogs"] == 1 && installation.backlog("votes", "vote-processors") == 0; },
                           60s));
    }
    CHECK(tally(installation.domain("votes"), "select option, count from vote_counts") ==
          std::map<std::string, std::int64_t>{{"cats", 1}, {"dogs", 1}});
}

namespace {

/// Votes that clients take to whichever host answers, each under a key of its own, until it is taken.
class Voters {
public:
    static constexpr int kClients = 8;

    Voters(const std::vector<std::unique_ptr<HttpHost>> &hosts, int votes) : votes_(votes) {
        for (const auto &host : hosts) {
            ports_.push_back(host->port());
        }
        for (int client = 0; client < kClients; ++client) {
            threads_.emplace_back([this, client] { work(static_cast<std::size_t>(client)); });
        }
    }
    ~Voters() {
        wrong_ = wrong_ || taken_ < votes_; // nobody waits for the rest any more
        join();
    }
    void join() {
        for (std::thread &thread : threads_) {
            if (thread.joinable()) {
                thread.join();
            }
        }
    }
    /// Until so many votes are taken, or one is refused, which can't be.
    void wait_for(int count) const {
        eventually([&] { return taken_ >= count || wrong_; }, std::chrono::minutes(5));
    }
    int taken() const { return taken_; }
    int asked() const { return asked_; }
    int refusal() const { return refusal_; }

private:
    void work(std::size_t port) {
        for (int number = next_++; number < votes_ && !wrong_; number = next_++) {
            const bool came = eventually(
                [&] {
                    ++asked_;
                    const int status = http(ports_[port % ports_.size()], "POST", "/api/vote", vote_for(number % 3 ? "cats" : "dogs"),
                                            {{"Content-Type", "application/json"}, {"Idempotency-Key", "vote-" + std::to_string(number)}})
                                           .status;
                    if (status != 0 && status != 202 && status < 500) { // who asks in vain asks again; the vote itself is a good one
                        refusal_ = status;
                        wrong_ = true;
                    }
                    port += status == 202 ? 0 : 1;
                    return status == 202 || wrong_;
                },
                std::chrono::minutes(5));
            taken_ += came ? 1 : 0;
        }
    }

    const int votes_;
    std::vector<std::uint16_t> ports_;
    std::atomic<int> next_{0};
    std::atomic<int> taken_{0};
    std::atomic<int> asked_{0};
    std::atomic<int> refusal_{0};
    std::atomic<bool> wrong_{false};
    std::vector<std::thread> threads_;
};

/// Kills hosts at moments of the work, starts them again a while later, and now and then has none left.
int kill_and_start(const std::vector<std::unique_ptr<HttpHost>> &hosts, const Voters &voters, int votes, int times,
                   std::mt19937_64 &random) {
    const auto below = [&](std::size_t limit) { return static_cast<int>(random() % std::max<std::size_t>(limit, 1)); };
    const int stretch = votes / (times + 1);
    int kills = 0;
    for (int time = 0; time < times; ++time) {
        const int at = stretch * time + stretch / 4 + below(static_cast<std::size_t>(stretch / 2));
        voters.wait_for(at);
        const bool all = below(4) == 0;
        const auto chosen = static_cast<std::size_t>(below(hosts.size()));
        for (std::size_t i = 0; i < hosts.size(); ++i) {
            if (all || i == chosen) {
                hosts[i]->kill();
                ++kills;
            }
        }
        if (!all && hosts.size() > 1) {
            voters.wait_for(at + below(static_cast<std::size_t>(stretch / 2)));
        }
        for (std::size_t i = 0; i < hosts.size(); ++i) {
            if (all || i == chosen) {
                hosts[i]->start();
            }
        }
    }
    return kills;
}

} // namespace

TEST_CASE("votes that are each repeated under their key until a host takes them count once, while hosts are killed and started again") {
    const int votes = knob("WEIR_TEST_HTTP_VOTES", 600);
    const int times = knob("WEIR_TEST_HTTP_KILLS", 4);
    std::mt19937_64 random(seed());
    for (const Backends &backends : both_pairs()) {
        INFO(backends.name());
        Installation installation({"votes"}, backends);
        installation.set("engine.lease_ttl_ms", "1000"); // after which others count what a killed host has read
        std::vector<std::unique_ptr<HttpHost>> hosts;
        const int count = backends.redis ? knob("WEIR_TEST_HTTP_HOSTS", 3) : 1; // files are one host's
        for (int i = 0; i < count; ++i) {
            hosts.push_back(std::make_unique<HttpHost>(installation, "-" + std::to_string(i)));
        }
        hosts.front()->ask_until(200, "GET", "/api/results");
        const auto began = std::chrono::steady_clock::now();
        Voters voters(hosts, votes);
        const int kills = kill_and_start(hosts, voters, votes, times, random);
        voters.join();
        REQUIRE(voters.refusal() == 0);
        REQUIRE(voters.taken() == votes);
        for (const auto &host : hosts) {
            REQUIRE(eventually([&] { return results(*host)["total"] == votes; }, 120s));
        }
        REQUIRE(
            eventually([&] { return installation.backlog("votes", "vote-processors") == 0; }, 120s)); // nothing left to be counted twice
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        for (const auto &host : hosts) {
            CHECK(host->stop() == 0);
        }
        const auto counted = tally(installation.domain("votes"), "select option, count from vote_counts");
        CHECK(counted == std::map<std::string, std::int64_t>{{"cats", votes - (votes + 2) / 3}, {"dogs", (votes + 2) / 3}});
        std::printf("%s: %d votes, %d requests, %d hosts, %d kills, %.0f s: every vote counted once\n", backends.name().c_str(), votes,
                    voters.asked(), count, kills, took.count());
    }
}
