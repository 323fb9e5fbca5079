// SPDX-License-Identifier: Apache-2.0
// Answers that several clients get.
#include "gate.hpp"
#include "serving.hpp"

#include "http/request.hpp"
#include "http/response_cache.hpp"
#include "support.hpp"

#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <vector>

using namespace weir::http;
using namespace weir::http::test;
using weir::test::eventually;

namespace {

constexpr auto later = ResponseCache::Clock::time_point::max();

RouteOptions kept_for(std::chrono::milliseconds time) {
    RouteOptions how;
    how.max_age = time;
    return how;
}

ResponseCache::Key key(const std::string &path, const std::string &query) { return {path, query}; }

} // namespace

TEST_CASE("An answer that was made without a look at the query is made once, whatever queries are thought up") {
    std::atomic<int> made{0};
    Serving serving({route(
        Method::get, "/results",
        [&](const Request &) {
            Response response = Response::json(200, std::to_string(++made));
            response.for_any_query = true;
            return response;
        },
        kept_for(std::chrono::hours(1)))});
    CHECK(http(serving.port, "GET", "/results?x=0").body == "1");
    for (int number = 1; number < 200; ++number) {
        CHECK(http(serving.port, "GET", "/results?x=" + std::to_string(number) + "&y=1").body == "1");
    }
    CHECK(http(serving.port, "GET", "/results").body == "1");
    CHECK(made == 1);
}

TEST_CASE("When such an answer is old it is made once more, for all who ask meanwhile with different queries") {
    Gate gate;
    std::atomic<int> made{0};
    std::atomic<bool> for_any{true};
    Route results = gate.route("/results", kept_for(std::chrono::milliseconds(1))); // old when the next one asks, or nearly
    const Handler wait = results.handler;
    results.handler = [&, wait](const Request &request) {
        if (++made > 1) {
            wait(request);
        }
        Response response = Response::json(200, json_string(request.query));
        response.for_any_query = for_any;
        return response;
    };
    Serving serving({results});
    REQUIRE(http(serving.port, "GET", "/results?x=0").body == "\"x=0\"");
    REQUIRE(eventually([&] { // until a request finds it old, and waits at the gate
        return http(serving.port, "GET", "/results?x=0", "", {}, std::chrono::milliseconds(50)).status == 0 && made == 2;
    }));
    const auto before = serving.server.statistics().requests;
    std::vector<RawClient> clients;
    for (int number = 1; number <= 20; ++number) {
        clients.emplace_back(serving.port);
        clients.back().send(get("/results?x=" + std::to_string(number)));
    }
    REQUIRE(eventually([&] { return serving.server.statistics().requests == before + 20; }));
    CHECK(made == 2);
    const bool still_for_any = GENERATE(true, false);
    for_any = still_for_any;
    gate.open();
    for (int number = 1; number <= 20; ++number) {
        const HttpAnswer answer = clients[static_cast<std::size_t>(number - 1)].answer();
        CHECK(answer.status == 200);
        CHECK(answer.body == (still_for_any ? "\"x=0\"" : "\"x=" + std::to_string(number) + "\"")); // each its own, where it looked
    }
    CHECK(made >= (still_for_any ? 2 : 22));
}

TEST_CASE("Where a handler looks at the query, parameters in another order are the same question, and other values another one") {
    std::atomic<int> made{0};
    Serving serving({route(
        Method::get, "/find",
        [&](const Request &request) {
            return Response::json(200, json_string(std::string(request.parameter("a").value_or("")) + "," + std::to_string(++made)));
        },
        kept_for(std::chrono::hours(1)))});
    const auto find = [&](const std::string &query) { return http(serving.port, "GET", "/find?" + query).body; };
    CHECK(find("a=1&b=2") == "\"1,1\"");
    CHECK(find("b=2&a=1") == "\"1,1\"");
    CHECK(find("b=%32&a=1") == "\"1,1\"");
    CHECK(find("a=1&a=2") == "\"1,2\"");
    CHECK(find("a=2&a=1") == "\"2,3\"");
    CHECK(find("a=1&b=3") == "\"1,4\"");
    CHECK(find("a=1%26b=2") == "\"1&b=2,5\"");
}

TEST_CASE("No two questions have the same key, whatever their parameters hold") {
    using std::string_literals::operator""s;
    const std::vector<std::vector<Parameter>> questions{
        {{"a", "b"}, {"c", "d"}},
        {{"a", "b\0c\0d"s}},
        {{"a\0b\0c"s, "d"}},
        {{"a", "b"}, {"c", "d"}, {"", ""}},
        {{"a", ""}, {"b", ""}},
        {{"a", "0:1:b0:"}},
        {{"a0:1:b", ""}},
        {{"", "a"}},
        {{"a", ""}},
        {{"a", "b1:c1:d"}},
        {{"a", "b"}, {"c1:d", ""}},
        {},
    };
    std::set<std::string> keys;
    for (const std::vector<Parameter> &question : questions) {
        keys.insert(ResponseCache::key_of("/find", question).query);
    }
    CHECK(keys.size() == questions.size());
}

TEST_CASE("Queries made up at random take a bounded place, and not that of an answer that is asked for again and again") {
    ResponseCache cache;
    const auto body = std::make_shared<const Response>(Response::json(200, "{}"));
    const auto nobody = [](const KeptResponse *) {};
    const auto ask = [&](const ResponseCache::Key &one) {
        const ResponseCache::Asked asked = cache.ask(one, ResponseCache::Clock::now(), ResponseCache::Clock::time_point::max(), nobody);
        if (asked.fill) {
            cache.put(*asked.fill, one, body, std::chrono::hours(1));
        }
        return asked.kept.has_value();
    };
    CHECK_FALSE(ask(key("/popular", "")));
    CHECK(ask(key("/popular", "")));
    for (int number = 0; number < 5000; ++number) {
        REQUIRE_FALSE(ask(key("/find", std::to_string(number))));
        REQUIRE(cache.entries() <= 1024);
    }
    CHECK(ask(key("/popular", "")));
}

TEST_CASE("What nobody has filled in time is filled by who asks next, and whoever waits gets the first answer that comes") {
    ResponseCache cache;
    int handed = 0;
    const auto waiter = [&](const KeptResponse *) { ++handed; };
    const auto now = ResponseCache::Clock::now();
    const auto until = now + std::chrono::seconds(1);
    const auto hangs = cache.ask(key("/a", ""), now, until, waiter);
    REQUIRE(hangs.fill);
    CHECK_FALSE(cache.ask(key("/a", ""), now, until, waiter).fill);
    const auto next = cache.ask(key("/a", ""), until, until + std::chrono::seconds(1), waiter);
    REQUIRE(next.fill);
    CHECK_FALSE(cache.ask(key("/a", ""), until, until, waiter).fill);
    const auto answer = std::make_shared<const Response>(Response::json(200, "1"));
    cache.put(*next.fill, key("/a", ""), answer, std::chrono::seconds(10));
    CHECK(handed == 4);
    cache.put(*hangs.fill, key("/a", ""), answer, std::chrono::seconds(10)); // it comes too late, and does no harm
    CHECK(handed == 4);
    CHECK(cache.ask(key("/a", ""), ResponseCache::Clock::now(), until, waiter).kept);
}

TEST_CASE("A failure is handed to all who wait and not kept, for any query as for one") {
    ResponseCache cache;
    Response failure = problem(503, "away");
    failure.for_any_query = GENERATE(true, false);
    int handed = 0;
    int sent_back = 0;
    const auto waiter = [&](const KeptResponse *kept) { ++(kept != nullptr ? handed : sent_back); };
    const auto now = ResponseCache::Clock::now();
    const auto first = cache.ask(key("/a", "1"), now, later, waiter);
    REQUIRE(first.fill);
    CHECK_FALSE(cache.ask(key("/a", "1"), now, later, waiter).fill);
    cache.put(*first.fill, key("/a", "1"), std::make_shared<const Response>(failure), std::chrono::milliseconds(0));
    CHECK(handed == 2);
    CHECK(sent_back == 0);
    CHECK(cache.entries() == 0);
    const auto second = cache.ask(key("/a", "1"), now, later, waiter);
    CHECK(second.fill);
    CHECK_FALSE(second.kept);
}
