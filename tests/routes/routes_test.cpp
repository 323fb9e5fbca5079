// SPDX-License-Identifier: Apache-2.0
#include "desk.hpp"

#include "engine/overdue_routes.hpp"
#include "test_module.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <unistd.h>

using namespace weir::test;

namespace {

std::string save(const std::string &id, const std::string &words) { return R"({"id":")" + id + R"(","words":")" + words + "\"}"; }

std::string code_of(const HttpAnswer &answer) {
    INFO(answer.status << " " << answer.body);
    CHECK(answer.header("Content-Type").value_or("").rfind("application/problem+json", 0) == 0);
    return nlohmann::json::parse(answer.body).value("code", "");
}

} // namespace

TEST_CASE("a route changes, emits and answers in one transaction, and what it wrote is read back") {
    Desk desk;
    const HttpAnswer saved = desk.ask("POST", "/desk/notes", save("a", "hello"));
    REQUIRE(saved.status == 201);
    CHECK(saved.body == R"({"version":1})");
    CHECK(saved.header("Location") == "/desk/notes/a");
    CHECK(saved.header("X-Content-Type-Options") == "nosniff");
    CHECK(desk.note("a") == R"({"id":"a","words":"hello","version":1})");
    CHECK(desk.ask("POST", "/desk/notes", save("a", "again")).body == R"({"version":2})");
    CHECK(desk.ask("GET", "/desk/notes/a").header("ETag") == "\"2\"");
    CHECK(desk.ask("GET", "/desk/notes/a", {}, {{"If-None-Match", "\"2\""}}).status == 304);
    CHECK(eventually([&] { return desk.published("desk.saved") == 2; }, std::chrono::seconds(20)));
    CHECK(desk.ask("DELETE", "/desk/notes/a").status == 204);
    CHECK(code_of(desk.ask("GET", "/desk/notes/a")) == "unknown_note");
}

TEST_CASE("a route walks along the primary key and along an index, within its limit") {
    Desk desk;
    for (const char *id : {"c", "a", "b"}) {
        REQUIRE(desk.ask("POST", "/desk/notes", save(id, std::string("words ") + static_cast<char>('z' - id[0] + 'a'))).status == 201);
    }
    CHECK(desk.ask("GET", "/desk/notes").body == R"(["a","b","c"])");
    CHECK(desk.ask("GET", "/desk/notes?limit=2").body == R"(["a","b"])");
    CHECK(desk.ask("GET", "/desk/notes?from=words%20y").body == R"(["b","a"])");
    CHECK(desk.ask("GET", "/desk/notes?limit=1001").status == 500);
}

TEST_CASE("routes whose paths differ in nothing but punctuation are served side by side") {
    Desk desk;
    CHECK(desk.ask("GET", "/desk/notes-list").body == "[]");
    CHECK(desk.ask("GET", "/desk/notes/list").body == "[]");
}

TEST_CASE("an answer that its route doesn't keep for everybody is kept by nobody between") {
    Desk desk;
    CHECK(desk.ask("GET", "/desk/notes").header("Cache-Control") == "private, no-cache");
    CHECK(desk.ask("GET", "/desk/count").header("Cache-Control") == "public, max-age=60");
}

TEST_CASE("what a route publishes is with the broker when it answers, and with the consumer soon") {
    Desk desk;
    CHECK(desk.ask("POST", "/desk/tell", R"({"words":"heard"})").status == 202);
    CHECK(desk.published("desk.told") == 1);
    CHECK(eventually([&] { return desk.ask("GET", "/desk/notes?from=heard").body.find('-') != std::string::npos; },
                     std::chrono::seconds(20)));

    desk.broker->be_away(true);
    const HttpAnswer away = desk.ask("POST", "/desk/tell", R"({"words":"lost"})");
    CHECK(away.status == 503);
    CHECK(code_of(away) == "broker_unavailable");
    CHECK(away.header("Retry-After") == "1");
    desk.broker->be_away(false);
    CHECK(desk.published("desk.told") == 1);
    CHECK(desk.ask("POST", "/desk/tell", R"({"words":"heard again"})").status == 202);
}

TEST_CASE("what a route does wrong is an answer, changes nothing, and tells nobody of its insides") {
    Desk desk;
    const auto misbehave = [&](const std::string &how) { return desk.ask("POST", "/desk/misbehave/" + how); };
    for (const auto &[how, status] : std::vector<std::pair<std::string, int>>{{"throw", 500},
                                                                              {"reject", 422},
                                                                              {"retry", 503},
                                                                              {"fatal", 500},
                                                                              {"problem", 409},
                                                                              {"refused", 403},
                                                                              {"header", 500},
                                                                              {"split", 500},
                                                                              {"foreign-header", 500},
                                                                              {"foreign-type", 500},
                                                                              {"bad-value", 422},
                                                                              {"both", 500},
                                                                              {"well-after-all", 200},
                                                                              {"other-problem", 410},
                                                                              {"nothing", 200}}) {
        const HttpAnswer answer = misbehave(how);
        INFO(how << ": " << answer.body);
        CHECK(answer.status == status);
        CHECK(answer.body.find("secret") == std::string::npos);
        CHECK_FALSE(answer.header("Set-Cookie"));
    }
    CHECK(code_of(misbehave("reject")) == "no_thanks");
    CHECK(code_of(misbehave("problem")) == "taken");
    CHECK(code_of(misbehave("other-problem")) == "taken");
    CHECK_FALSE(misbehave("well-after-all").header("Content-Type"));
    CHECK(desk.ask("GET", "/desk/change").status == 500);
    CHECK(desk.note("never").empty());
    CHECK(desk.published("desk.told") == 0);
    CHECK(code_of(desk.ask("POST", "/desk/notes", "{")) == "malformed_json");
    CHECK(code_of(desk.ask("POST", "/desk/notes", R"({"id":"a"})")) == "missing_field");
    CHECK(code_of(desk.ask("POST", "/desk/notes", R"({"id":1,"words":"a"})")) == "invalid_field");
    CHECK(desk.ask("POST", "/desk/notes", save("a", "b"), {{"Content-Type", "text/plain"}}).status == 415);
    CHECK(desk.ask("PUT", "/desk/notes", save("a", "b")).status == 405);
    CHECK(desk.note("a").empty());
}

TEST_CASE("a route past the domain's handler_budget_ms is answered with 504, and others go on") {
    Desk desk;
    const auto began = std::chrono::steady_clock::now();
    CHECK(desk.ask("POST", "/desk/misbehave/slow").status == 504);
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::milliseconds(2900));
    CHECK(desk.ask("POST", "/desk/notes", save("a", "b")).status == 201);
}

TEST_CASE("an answer is kept for as long as its route says, and a stream tells of what changes") {
    Desk desk;
    CHECK(desk.ask("GET", "/desk/count").body == "0");
    RawClient stream(desk.port);
    stream.send("GET /desk/counts HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(stream.header().status == 200);
    CHECK(stream.read_until("data: 0\n").find("data: 0\n") != std::string::npos);
    REQUIRE(desk.ask("POST", "/desk/notes", save("a", "b")).status == 201);
    CHECK(stream.read_until("data: 1\n").find("data: 1\n") != std::string::npos);
    const HttpAnswer kept = desk.ask("GET", "/desk/count");
    CHECK(kept.body == "0");
    CHECK(kept.header("Cache-Control").value_or("").find("max-age=") != std::string::npos);
}

TEST_CASE("a page has the policy of its route") {
    Desk desk;
    const HttpAnswer page = desk.ask("GET", "/desk/page");
    CHECK(page.status == 200);
    CHECK(page.body == "<p>desk</p>");
    CHECK(page.header("Content-Type") == "text/html; charset=utf-8");
    CHECK(page.header("Content-Security-Policy") == "default-src 'self'");
    CHECK(desk.ask("HEAD", "/desk/page").body.empty());
}

TEST_CASE("a new generation takes routes over between two requests: none fails, and none is answered by the old one after the new one") {
    Desk desk;
    REQUIRE(desk.ask("GET", "/desk/version").body == "1.0.0");
    std::atomic<bool> stop{false};
    std::atomic<int> asked{0};
    std::vector<std::string> wrong;
    std::mutex mutex;
    std::vector<std::thread> clients;
    for (int client = 0; client < 3; ++client) {
        clients.emplace_back([&, client] {
            bool is_new = false;
            for (int i = 0; !stop; ++i) {
                const HttpAnswer version = desk.ask("GET", "/desk/version");
                const HttpAnswer saved = desk.ask("POST", "/desk/notes", save("n" + std::to_string(client), "w"));
                const HttpAnswer told = desk.ask("POST", "/desk/tell", R"({"words":"t"})");
                const bool right = version.status == 200 && (version.body == "2.0.0" || (version.body == "1.0.0" && !is_new)) &&
                                   saved.body == R"({"version":)" + std::to_string(i + 1) + "}" && told.status == 202;
                is_new = version.body == "2.0.0";
                ++asked;
                if (!right) {
                    const std::lock_guard lock(mutex);
                    wrong.push_back(version.body + " " + saved.body + " " + told.body);
                }
            }
        });
    }
    const auto moves_on = [&] { return eventually([&, before = asked.load()] { return asked >= before + 20; }, std::chrono::seconds(60)); };
    CHECK(moves_on());
    desk.load("desk-2", "desk");
    CHECK(eventually([&] { return desk.ask("GET", "/desk/version").body == "2.0.0"; }, std::chrono::seconds(20)));
    CHECK(moves_on());
    stop = true;
    for (std::thread &client : clients) {
        client.join();
    }
    CHECK(wrong == std::vector<std::string>());
    CHECK(desk.ask("GET", "/desk/version").body == "2.0.0");
}

TEST_CASE("routes come and go with their domain") {
    Desk desk;
    REQUIRE(desk.ask("POST", "/desk/notes", save("a", "b")).status == 201);
    desk.supervisor->plugin_removed("desk");
    CHECK(desk.board.services().empty());
    CHECK(desk.ask("GET", "/desk/notes/a").status == 404);
    desk.load("desk");
    CHECK(desk.note("a") == R"({"id":"a","words":"b","version":1})");
}

TEST_CASE("where routes leave while one of them hangs, nobody waits for it: not the domain, and not those who are served") {
    int gate[2];
    REQUIRE(::pipe(gate) == 0);
    ::setenv("WEIR_TEST_DESK_GATE", std::to_string(gate[0]).c_str(), 1);
    {
        Desk desk;
        RawClient stream(desk.port);
        stream.send("GET /desk/gate HTTP/1.1\r\nHost: localhost\r\n\r\n");
        REQUIRE(stream.header().status == 200); // its handler runs, or will in a moment
        desk.supervisor->plugin_removed("desk");
        CHECK(stream.closed_within(std::chrono::seconds(20)));
        for (int i = 0; i < 20; ++i) {
            CHECK(desk.ask("GET", "/desk/notes").status == 404);
        }
        CHECK(::write(gate[1], "1111", 4) == 4);
        CHECK(desk.board.retirement().wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(20)));
    }
    ::unsetenv("WEIR_TEST_DESK_GATE");
    ::close(gate[0]);
    ::close(gate[1]);
}

namespace {

const std::string kRoute = "GET /dawdle";

/// What one generation of a domain has left behind; all of it returns with the test, since a process counts.
class Left {
public:
    explicit Left(const std::string &domain) { spec_.name = domain; }
    ~Left() { back(times_); }
    Left(const Left &) = delete;
    Left &operator=(const Left &) = delete;

    void behind(int times) {
        for (times_ += times; times > 0; --times) {
            routes.left_behind(kRoute);
        }
    }
    void back(int times) {
        for (times_ -= times; times > 0; --times) {
            routes.returned(kRoute);
        }
    }

private:
    weir::engine::DomainSpec spec_;
    TestModule module_{items_plugin(), {}};
    int times_ = 0;

public:
    weir::engine::OverdueRoutes routes{spec_, module_};
};

} // namespace

TEST_CASE("a domain's routes are refused once eight requests hang, until one returns, and a new generation begins anew") {
    Left first("first");
    first.behind(7);
    CHECK_FALSE(first.routes.full());
    first.behind(1);
    CHECK(first.routes.full());
    CHECK_FALSE(Left("first").routes.full());
    CHECK_FALSE(Left("other").routes.full());
    first.back(1);
    CHECK_FALSE(first.routes.full());
    CHECK(first.routes.count() == 7);
}

TEST_CASE("once 64 requests of the process hang, a domain may have one, whichever generation it is of, until there are fewer") {
    // A test before this one may have left a handler that takes seconds; the order is another each time.
    REQUIRE(eventually([] { return weir::engine::OverdueRoutes::left_in_process().empty(); }, std::chrono::seconds(20)));
    std::deque<Left> others;
    for (int domain = 0; domain < 8; ++domain) {
        others.emplace_back("other" + std::to_string(domain)).behind(domain == 0 ? 7 : 8);
    }
    Left late("late");
    late.behind(1);
    CHECK(late.routes.full()); // the 64th
    CHECK_FALSE(late.routes.reason().empty());
    const Left next("late"); // another generation, whose predecessor's one still hangs
    CHECK(next.routes.full());
    Left fresh("fresh"); // which has none yet
    CHECK_FALSE(fresh.routes.full());
    CHECK(fresh.routes.reason().empty());
    fresh.behind(1);
    CHECK(fresh.routes.full());
    others.back().back(1);
    CHECK(fresh.routes.full()); // 64 once more
    others.back().back(1);
    CHECK_FALSE(fresh.routes.full());
    CHECK_FALSE(late.routes.full());
    CHECK_FALSE(next.routes.full());
    CHECK(weir::engine::OverdueRoutes::left_in_process().size() == 10);
}
