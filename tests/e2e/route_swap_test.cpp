// SPDX-License-Identifier: Apache-2.0
// Routes while plugins come and go in the directory of a running host.
#include "http_host.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

/// Asks all the time, on several connections at once, and notes what should not have been.
class Clients {
public:
    explicit Clients(const HttpHost &host) : host_(host) {
        for (int client = 0; client < 3; ++client) {
            threads_.emplace_back([this] { run(); });
        }
    }
    ~Clients() { stop(); }
    void stop() {
        stop_ = true;
        for (std::thread &thread : threads_) {
            thread.join();
        }
        threads_.clear();
    }
    /// Waits until each of them has asked some more. @return whether they did
    bool go_on() const {
        return eventually([this, wanted = asked_ + 30] { return asked_ >= wanted; }, 60s);
    }
    int saved() const { return saved_; }
    std::vector<std::string> wrong() const {
        const std::lock_guard lock(mutex_);
        return wrong_;
    }

private:
    void run() {
        while (!stop_) {
            const HttpAnswer shown = host_.ask("GET", "/greeting");
            const HttpAnswer saved = host_.ask("POST", "/greetings", "{}");
            ++asked_;
            saved_ += saved.status == 201 ? 1 : 0;
            const bool known = (shown.body == "1.0.0" || shown.body == "2.0.0") && (saved.body == "1.0.0" || saved.body == "2.0.0");
            if (shown.status != 200 || saved.status != 201 || !known) {
                const std::lock_guard lock(mutex_);
                wrong_.push_back(std::to_string(shown.status) + " " + shown.body + ", " + std::to_string(saved.status) + " " + saved.body);
            }
        }
    }

    const HttpHost &host_;
    std::atomic<bool> stop_{false};
    std::atomic<int> asked_{0};
    std::atomic<int> saved_{0};
    mutable std::mutex mutex_;
    std::vector<std::string> wrong_;
    std::vector<std::thread> threads_;
};

std::int64_t generation_of(const HttpHost &host, const std::string &plugin) {
    const auto plugins = nlohmann::json::parse(host.ask("GET", "/api/plugins").body).at("plugins");
    for (const auto &one : plugins) {
        if (one.at("plugin") == plugin) {
            return one.at("generation").get<std::int64_t>();
        }
    }
    return 0;
}

} // namespace

TEST_CASE("a plugin's file that is replaced while requests come answers them in its new version, and none of them fails") {
    Installation installation({"greeter"});
    HttpHost host(installation);
    host.wait_ready();
    REQUIRE(host.ask("GET", "/greeting").body == "1.0.0");
    const std::int64_t first = generation_of(host, "greeter");
    Clients clients(host);
    const int swaps = knob("WEIR_TEST_ROUTE_SWAPS", 6);
    for (int i = 1; i <= swaps; ++i) {
        INFO("swap " << i);
        CHECK(clients.go_on());
        const bool is_second = i % 2 == 1;
        installation.place(is_second ? "greeter_2" : "greeter", "greeter");
        const std::string version = is_second ? "2.0.0" : "1.0.0";
        REQUIRE(eventually([&] { return host.ask("GET", "/greeting").body == version; }, 60s));
        CHECK(generation_of(host, "greeter") == first + i);
        for (int again = 0; again < 5; ++again) { // the old one answers nothing any more
            CHECK(host.ask("GET", "/greeting").body == version);
            CHECK(host.ask("POST", "/greetings", "{}").body == version);
        }
    }
    CHECK(clients.go_on());
    clients.stop();
    CHECK(clients.wrong() == std::vector<std::string>());
    CHECK(number(installation.database("greeter"), "select count(*) from greetings") == clients.saved() + swaps * 5);
    CHECK(host.stop() == 0);
}

TEST_CASE("a plugin that wants the path of the host's own document is refused on either listener, and routes of others come and go") {
    for (const bool apart : {true, false}) {
        INFO(apart);
        Installation installation({"greeter_documented", "votes"});
        if (apart) {
            installation.set("http.operations.listen", "127.0.0.1:0");
        }
        HttpHost host(installation);
        host.ask_until(200, "GET", "/api/results");
        CHECK(host.process().said("domain.unserved", {"GET /openapi.json of plugin greeter", "the host (operations)"}));
        CHECK_THAT(host.ask("GET", "/openapi.json").body, Contains("/api/vote"));
        std::filesystem::remove(installation.plugins() / "votes.so");
        REQUIRE(eventually([&] { return host.ask("GET", "/api/results").status != 200; }, 60s));
        installation.place("votes");
        host.ask_until(200, "GET", "/api/results");
        installation.place("greeter", "greeter_documented"); // mended
        REQUIRE(eventually([&] { return host.ask("GET", "/greeting").body == "1.0.0"; }, 60s));
        CHECK(host.stop() == 0);
    }
}
