// SPDX-License-Identifier: Apache-2.0
#include "desk.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <weir/testkit.hpp>

using namespace weir::test;

namespace {

const std::string file = std::string(WEIR_TEST_FIXTURES) + "/desk.so";

struct Case {
    std::string method;
    std::string path;
    std::string body;
    std::vector<std::pair<std::string, std::string>> query;
};

std::string query_of(const Case &one) {
    std::string text;
    for (const auto &[name, value] : one.query) {
        text += (text.empty() ? "?" : "&") + name + "=" + value;
    }
    return text;
}

} // namespace

TEST_CASE("the test kit answers as the host does") {
    Desk desk;
    weir::testkit::Host kit(file);
    const std::vector<Case> cases{{"GET", "/desk/notes/a", "", {}},
                                  {"POST", "/desk/notes", R"({"id":"a","words":"one"})", {}},
                                  {"POST", "/desk/notes", R"({"id":"a","words":"two"})", {}},
                                  {"POST", "/desk/notes", R"({"id":"b","words":"one"})", {}},
                                  {"POST", "/desk/notes", R"({"id":"c"})", {}},
                                  {"POST", "/desk/notes", R"({"id":7,"words":"one"})", {}},
                                  {"POST", "/desk/notes", "{", {}},
                                  {"POST", "/desk/notes", "", {}},
                                  {"GET", "/desk/notes/a", "", {}},
                                  {"GET", "/desk/notes", "", {}},
                                  {"GET", "/desk/notes", "", {{"limit", "1"}}},
                                  {"GET", "/desk/notes", "", {{"from", "p"}}},
                                  {"GET", "/desk/notes", "", {{"limit", "5000"}}},
                                  {"GET", "/desk/count", "", {}},
                                  {"GET", "/desk/page", "", {}},
                                  {"POST", "/desk/tell", R"({"words":"x"})", {}},
                                  {"POST", "/desk/misbehave/throw", "", {}},
                                  {"POST", "/desk/misbehave/reject", "", {}},
                                  {"POST", "/desk/misbehave/retry", "", {}},
                                  {"POST", "/desk/misbehave/fatal", "", {}},
                                  {"POST", "/desk/misbehave/problem", "", {}},
                                  {"POST", "/desk/misbehave/refused", "", {}},
                                  {"POST", "/desk/misbehave/header", "", {}},
                                  {"POST", "/desk/misbehave/split", "", {}},
                                  {"POST", "/desk/misbehave/nothing", "", {}},
                                  {"GET", "/desk/notes/never", "", {}},
                                  {"DELETE", "/desk/notes/a", "", {}},
                                  {"DELETE", "/desk/notes/a", "", {}},
                                  {"GET", "/desk/notes/a", "", {}},
                                  {"GET", "/desk/nothing", "", {}}};
    for (const Case &one : cases) {
        INFO(one.method << " " << one.path << query_of(one) << " " << one.body);
        const HttpAnswer host = desk.ask(one.method, one.path + query_of(one), one.body);
        weir::testkit::Asked asked;
        asked.body = one.body;
        asked.query = one.query;
        const weir::testkit::Answer answer = kit.request(one.method, one.path, asked);
        INFO(host.body << " / " << answer.body << answer.code << ": " << answer.detail);
        CHECK(static_cast<int>(answer.status) == host.status);
        CHECK(host.header("Content-Type").value_or("") == answer.content_type);
        if (host.status < 400) {
            CHECK(host.body == answer.body);
        } else if (host.status < 500 && host.status != 404) {
            CHECK(nlohmann::json::parse(host.body).value("code", "") == answer.code);
            CHECK((answer.code == "malformed_json" || nlohmann::json::parse(host.body).value("detail", "") == answer.detail));
        }
        for (const auto &[name, value] : answer.headers) {
            CHECK(host.header(name).value_or("") == value);
        }
    }
    kit.close();
}

TEST_CASE("the test kit notes what a route may not do") {
    weir::testkit::Host kit(file);
    CHECK_THROWS_AS(kit.request("GET", "/desk/change"), weir::testkit::Misuse);
    CHECK_THROWS_AS(kit.request("POST", "/desk/misbehave/both"), weir::testkit::Misuse);
    CHECK(kit.request("POST", "/desk/misbehave/foreign-header").status == 500);
    CHECK(kit.request("POST", "/desk/misbehave/foreign-type").status == 500);
    CHECK(kit.rows("notes").empty());
    const weir::testkit::Answer told = kit.request("POST", "/desk/tell", {.body = R"({"words":"x"})"}).expect(202);
    REQUIRE(told.published.size() == 1);
    CHECK(told.published[0].event_type == "note.told.v1");
    CHECK_THROWS_AS(told.expect(200), weir::testkit::Failed);
    kit.drain();
    CHECK_THROWS_AS(kit.request("GET", "/desk/notes"), weir::testkit::Misuse);
    kit.close();
}
