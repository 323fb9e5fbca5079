// SPDX-License-Identifier: Apache-2.0
#include "serving.hpp"

using namespace weir::http;
using namespace weir::http::test;

namespace {

Route named(Method method, const std::string &pattern, const std::string &owner = "a test") {
    Route one = route(method, pattern, [](const Request &) { return Response::empty(204); });
    one.owner = owner;
    return one;
}

std::vector<std::string> problems(std::vector<Route> routes) { return Routes::build(std::move(routes)).problems; }

} // namespace

TEST_CASE("Routes that match the same paths are refused, and both owners named") {
    const auto found = problems({named(Method::get, "/a/{x}", "plugin one"), named(Method::get, "/a/{y}", "plugin two")});
    REQUIRE(found.size() == 1);
    CHECK(found[0] == "GET /a/{y} of plugin two matches the same paths as GET /a/{x} of plugin one");
    CHECK(
        problems({named(Method::get, "/a/{x}"), named(Method::put, "/a/{x}"), named(Method::get, "/a/b"), named(Method::get, "/a/{x...}")})
            .empty());
}

TEST_CASE("The places of refused routes are told, so that the others can be served without them") {
    std::vector<Route> routes{named(Method::get, "/a"), named(Method::get, "b"), named(Method::get, "/a"), named(Method::get, "/c"),
                              named(Method::get, "/d")};
    routes[0].description.operation_id = routes[3].description.operation_id = "same";
    const Routes::Built built = Routes::build(routes);
    CHECK_FALSE(built.routes);
    CHECK(built.problems.size() == 3);
    CHECK(built.refused == std::vector<std::size_t>{1, 2, 3});
    routes = {routes[0], routes[4]};
    CHECK(Routes::build(routes).routes);
}

TEST_CASE("What is no pattern is refused") {
    for (const char *pattern : {"", "a", "/a//b", "/{", "/{}", "/a{b}", "/{a}/{a}", "/{a...}/b", "/..", "/a?b", "/a b", "/a%20b"}) {
        INFO(pattern);
        CHECK(problems({named(Method::get, pattern)}).size() == 1);
    }
    CHECK(problems({named(Method::head, "/a")}).size() == 1);
    CHECK(problems({named(Method::options, "/a")}).size() == 1);
    Route none;
    none.pattern = "/a";
    CHECK(problems({none}).size() == 1);
    Route kept = named(Method::post, "/a");
    kept.options.max_age = std::chrono::seconds(1);
    CHECK(problems({kept}).size() == 1);
}

TEST_CASE("Literals are preferred to parameters, segment by segment, and parameters to the rest") {
    const auto routes = table({named(Method::get, "/"), named(Method::get, "/a/{x}"), named(Method::get, "/a/b"),
                               named(Method::get, "/{y}/b/c"), named(Method::get, "/a/{x}/{z...}"), named(Method::post, "/{all...}")});
    const auto pattern = [&](Method method, const std::vector<std::string> &segments) {
        const Routes::Match match = routes->match(method, segments);
        return match.route != nullptr ? match.route->pattern : "(" + match.allowed + ")";
    };
    CHECK(pattern(Method::get, {}) == "/");
    CHECK(pattern(Method::get, {"a", "b"}) == "/a/b");
    CHECK(pattern(Method::get, {"a", "c"}) == "/a/{x}");
    CHECK(pattern(Method::get, {"a", "b", "c"}) == "/a/{x}/{z...}");
    CHECK(pattern(Method::get, {"q", "b", "c"}) == "/{y}/b/c");
    CHECK(pattern(Method::get, {"a", "", "c"}) == "(POST, OPTIONS)");
    CHECK(pattern(Method::post, {"a", "b"}) == "/{all...}");
    CHECK(pattern(Method::get, {"nothing", "here"}) == "(POST, OPTIONS)");
    CHECK(pattern(Method::put, {"a", "b"}) == "(GET, HEAD, POST, OPTIONS)");
    const Routes::Match match = routes->match(Method::get, {"a", "1", "2", "3"});
    REQUIRE(match.parameters.size() == 2);
    CHECK(match.parameters[0].name == "x");
    CHECK(match.parameters[0].value == "1");
    CHECK(match.parameters[1].value == "2/3");
}
