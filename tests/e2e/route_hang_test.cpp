// SPDX-License-Identifier: Apache-2.0
// Routes of a plugin that never return, beside those of another.
#include "http_host.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <thread>

using namespace weir::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

/// One whose plugin "dawdler" has little time, and all others as much as they may need.
void give_time(Installation &installation) {
    installation.set("engine.handler_budget_ms", "120000");
    write_file(installation.domains() / "dawdler.json", R"({"service": {"domain": "dawdler"}, "engine": {"handler_budget_ms": 200}})");
}

/// Asks one after the other until the routes are refused. @return how many were left behind
int exhaust(const HttpHost &host, const std::string &method, const std::string &target) {
    for (int count = 0; count < 100; ++count) {
        const HttpAnswer answer = host.ask(method, target, method == "POST" ? "{}" : "");
        INFO(answer.body);
        if (answer.status == 503) {
            const auto problem = nlohmann::json::parse(answer.body);
            CHECK(problem.value("code", "") == "routes_overdue");
            CHECK_THAT(answer.body, Contains("domain dawdler") && !Contains("votes"));
            return count;
        }
        REQUIRE(answer.status == 504);
        CHECK_THAT(answer.body, Contains("engine.handler_budget_ms of domain dawdler"));
    }
    FAIL("they are never refused");
    return 0;
}

double metric(const HttpHost &host, const std::string &series) {
    const std::string text = "\n" + host.ask("GET", "/metrics").body;
    const std::size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
}

int status_of(Installation &installation, std::string &text) {
    const auto process = installation.command({"status", "-c", installation.config().string()});
    const auto ended = process->wait();
    REQUIRE(ended);
    text = process->output();
    return ended->exit_code;
}

} // namespace

TEST_CASE("a plugin's route that hangs is left behind and told, its own routes are refused at the bound, and those of others go on") {
    const auto [method, target] = GENERATE(std::pair("GET", "/dawdle"), std::pair("GET", "/dawdle/kept"), std::pair("POST", "/dawdle"));
    CAPTURE(method, target);
    Installation installation({"dawdler", "votes"});
    give_time(installation);
    HttpHost host(installation);
    host.wait_ready();
    host.ask_until(200, "GET", "/quick");

    CHECK(host.ask(method, target, method == std::string("POST") ? "{}" : "").status == 504);
    REQUIRE(eventually([&] { return metric(host, "weir_domain_overdue_handlers{domain=\"dawdler\"}") == 1; }, 60s));
    host.ask_until(200, "GET", "/ready"); // one that dawdles is told, and no reason to send nobody any more
    host.ask_until(200, "GET", "/quick");
    std::string text;
    REQUIRE(eventually([&] { return status_of(installation, text) == 0 && text.find(target) != std::string::npos; }, 60s));
    CHECK_THAT(text, Contains("handler_budget_ms"));

    const int left = 1 + exhaust(host, method, target);
    CHECK(left >= 8);
    CHECK(left <= 12);
    CHECK(host.ask("GET", "/api/results").status == 200);
    CHECK(host.ask("POST", "/api/vote", R"({"vote": "cats"})").status < 300);
    CHECK(host.ask("GET", "/quick").status == 503); // its own others as well
    // The last one may be noticed only after its client has its 504.
    CHECK(eventually([&] { return metric(host, "weir_domain_overdue_handlers{domain=\"dawdler\"}") == left; }, 60s));
    CHECK(metric(host, "weir_domain_overdue_handlers{domain=\"votes\"}") == 0);
    CHECK(metric(host, "weir_domain_ready{domain=\"dawdler\"}") == 0);
    CHECK(metric(host, "weir_domain_ready{domain=\"votes\"}") == 1);
    const HttpAnswer ready = host.ask("GET", "/ready");
    CHECK(ready.status == 503);
    CHECK_THAT(ready.body, Contains(target) && Contains("dawdler") && !Contains("votes"));
    REQUIRE(eventually([&] { return status_of(installation, text) == 1; }, 60s));
    CHECK_THAT(text, Contains(std::string(method) + " " + target) && Contains("replace the plugin"));
    CHECK(host.process().said("route.overdue").size() == 1);
    CHECK(host.process().said("route.overdue", {"dawdler", std::string(method) + " " + target, "warn"}));
    CHECK(host.process().said("route.all_overdue").size() == 1);

    installation.place("dawdler_2", "dawdler");
    REQUIRE(eventually([&] { return host.ask(method, target, method == std::string("POST") ? "{}" : "").body == "2.0.0"; }, 60s));
    host.ask_until(200, "GET", "/ready");
    installation.place("dawdler", "dawdler"); // which has an allowance of its own
    REQUIRE(eventually([&] { return host.ask("GET", "/quick").body == "1.0.0"; }, 60s));
    CHECK(exhaust(host, method, target) >= 8);
    CHECK(host.ask("GET", "/api/results").status == 200);

    const auto began = std::chrono::steady_clock::now();
    CHECK(host.stop() == 0);
    CHECK(std::chrono::steady_clock::now() - began < 25s);
    CHECK(host.process().said("route.abandoned", {"dawdler", std::string(method) + " " + target}));
}

TEST_CASE("requests that hang all at once keep no other plugin from being answered, and one that returns makes room again") {
    Installation installation({"dawdler", "votes"});
    give_time(installation);
    HttpHost host(installation);
    host.wait_ready();
    host.ask_until(200, "GET", "/quick");
    const std::string file = (installation.root() / "return").string();
    const int crowd = 40;
    std::vector<int> answers(crowd);
    std::vector<std::thread> threads;
    for (int client = 0; client < crowd; ++client) {
        threads.emplace_back([&, client] { answers[static_cast<std::size_t>(client)] = host.ask("GET", "/dawdle?until=" + file).status; });
    }
    for (int count = 0; count < 20; ++count) {
        CHECK(host.ask("GET", "/api/results").status == 200);
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(std::all_of(answers.begin(), answers.end(), [](int status) { return status == 504 || status == 503; }));
    exhaust(host, "GET", "/dawdle?until=" + file);
    CHECK(host.ask("GET", "/api/results").status == 200);
    write_file(file, "");
    host.ask_until(200, "GET", "/quick");
    host.ask_until(200, "GET", "/ready");
    REQUIRE(eventually([&] { return metric(host, "weir_domain_overdue_handlers{domain=\"dawdler\"}") == 0; }, 60s));
    CHECK(host.stop() == 0);
    CHECK(host.process().said("route.abandoned").empty());
}
