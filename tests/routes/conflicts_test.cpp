// SPDX-License-Identifier: Apache-2.0
#include "cli/http_service.hpp"
#include "desk.hpp"
#include "engine/route_conflicts.hpp"
#include "plugin/route.hpp"
#include "server_process.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::test;

namespace {

weir_view view(std::string_view text) { return {text.data(), text.size()}; }

weir_status nothing(const void *, void *, const weir_http_request_v1 *, const weir_http_reply_v1 *, const weir_call_v1 *) {
    return WEIR_OK;
}

weir_http_route_v1 route(std::uint32_t method, std::string_view path) {
    weir_http_route_v1 made{};
    made.method = method;
    made.path = view(path);
    made.handle = nothing;
    return made;
}

std::string wrong(std::vector<weir_http_route_v1> routes) {
    const weir_http_v1 http{sizeof(weir_http_v1), static_cast<std::uint32_t>(routes.size()), routes.data(), sizeof(weir_http_route_v1), 0};
    std::vector<plugin::Route> out;
    const auto reason = plugin::describe_routes(http, out);
    CHECK(out.size() == (reason ? 0 : routes.size()));
    return reason.value_or("");
}

} // namespace

TEST_CASE("a plugin that wants a route of another is refused before it runs, naming both; the other goes on") {
    Desk desk;
    desk.load("rival-desk");
    const std::string reason = desk.reason("rival-desk");
    INFO(reason);
    CHECK(reason.find("GET /desk/notes/{note}") != std::string::npos);
    CHECK(reason.find("plugin rival-desk") != std::string::npos);
    CHECK(reason.find("plugin desk") != std::string::npos);
    CHECK(desk.ask("GET", "/rival").status == 404);
    CHECK(desk.ask("GET", "/desk/notes").status == 200);
    desk.supervisor->plugin_removed("desk");
    CHECK(eventually([&] { return desk.ask("GET", "/rival").body == "rival"; }, std::chrono::seconds(20)));
}

TEST_CASE("a new generation that wants a route that another plugin answers is refused, naming both; both go on as they were") {
    Desk desk({"annex", "desk"}); // the annex is there first, and its domain the first by name
    REQUIRE(desk.ask("POST", "/desk/notes", R"({"id":"a","words":"b"})").status == 201);
    const std::string note = desk.note("a");
    desk.load("annex-2", "annex");
    const std::string reason = desk.refused("annex");
    INFO(reason);
    CHECK(reason.find("GET /desk/notes/{note} of plugin annex") != std::string::npos);
    CHECK(reason.find("plugin desk (domain desk)") != std::string::npos);
    CHECK(desk.ready("annex"));
    CHECK(desk.ask("GET", "/annex").body == "annex 1.0.0");
    CHECK(desk.note("a") == note);
    desk.load("desk-2", "desk"); // which has them still
    CHECK(eventually([&] { return desk.ask("GET", "/desk/version").body == "2.0.0"; }, std::chrono::seconds(20)));
    CHECK(desk.note("a") == note);
    CHECK(desk.ask("GET", "/annex").body == "annex 1.0.0");
    desk.supervisor->plugin_removed("desk");
    CHECK(eventually([&] { return desk.ask("GET", "/desk/notes/a").body == "annex 2.0.0"; }, std::chrono::seconds(20)));
    CHECK(desk.refused("annex").empty());
    desk.load("desk"); // now it is the other way round
    CHECK(desk.reason("desk").find("plugin annex (domain annex)") != std::string::npos);
    CHECK(desk.ask("GET", "/desk/notes/a").body == "annex 2.0.0");
}

TEST_CASE("a route that a plugin gives up is another's, whichever of the two is loaded first") {
    Desk desk({"annex"});
    const auto owner = desk.module("annex-2", "annex");
    const auto giver = desk.module("annex");
    const auto taker = desk.module("desk");
    for (const bool is_giver_first : {false, true}) {
        INFO(is_giver_first);
        desk.supervisor->plugin_removed("desk");
        desk.supervisor->plugin_loaded(owner);
        REQUIRE(eventually([&] { return desk.ask("GET", "/annex").body == "annex 2.0.0"; }, std::chrono::seconds(20)));
        desk.supervisor->plugin_loaded(is_giver_first ? giver : taker);
        desk.supervisor->plugin_loaded(is_giver_first ? taker : giver);
        CHECK(eventually([&] { return desk.ready("desk") && desk.ask("GET", "/desk/notes/a").status == 404; }, std::chrono::seconds(20)));
        CHECK(eventually([&] { return desk.ask("GET", "/annex").body == "annex 1.0.0"; }, std::chrono::seconds(20)));
    }
}

TEST_CASE("of two services on the board that match the same requests the one that answered them goes on until it leaves") {
    Desk desk;
    const std::shared_ptr<engine::RouteService> first = desk.board.services().at("desk");
    engine::RouteService::Setup setup;
    setup.spec.name = setup.spec.plugin = "annex";
    setup.spec.schema = "annex";
    setup.spec.topics = {"annex.told"};
    std::string reason;
    setup.instance = plugin::Instance::create(desk.module("annex-2"), "annex", "annex", "{}", reason);
    REQUIRE(setup.instance);
    setup.broker = desk.broker.get();
    setup.contracts = &desk.contracts;
    const auto second = desk.board.retirement().hand_out(std::make_unique<engine::RouteService>(setup));
    desk.board.serve(second);
    CHECK(desk.ask("GET", "/desk/notes/a").status == 404);
    CHECK(desk.ask("GET", "/annex").body == "annex 2.0.0");
    desk.board.serve(first); // again
    CHECK(desk.ask("GET", "/desk/notes/a").status == 404);
    desk.board.withdraw("desk");
    CHECK(desk.ask("GET", "/desk/notes/a").body == "annex 2.0.0");
    desk.board.serve(first);
    CHECK(desk.ask("GET", "/desk/notes/a").body == "annex 2.0.0");
    CHECK(desk.ask("GET", "/desk/version").body == "1.0.0");
    desk.board.withdraw("annex");
    CHECK(desk.ask("GET", "/desk/notes/a").status == 404);
}

TEST_CASE("a plugin that answers every path is served while the host starts, runs and stops") {
    config::HttpConfig config;
    config.listen = "127.0.0.1:0";
    operations::Sources sources;
    sources.domains = [] { return std::vector<engine::DomainStatus>(); };
    cli::HttpService service(config, sources);
    service.start();
    http::Route all;
    all.pattern = "/{path...}";
    all.owner = "plugin one";
    all.handler = [](const http::Request &) { return http::Response::json(200, "{}"); };
    http::Route root;
    root.pattern = "/";
    root.owner = "plugin one";
    root.handler = all.handler;
    CHECK(service.set_plugin_routes({all, root}) == std::vector<std::string>());
    service.started();
    CHECK(service.set_plugin_routes({all, root}) == std::vector<std::string>());
    service.stopping();
    CHECK(service.set_plugin_routes({all, root}) == std::vector<std::string>());
    CHECK(service.stop());
}

TEST_CASE("a route that can't be served beside the host's, or one before it, keeps no other from being served") {
    config::HttpConfig config;
    const std::uint16_t port = free_port();
    config.listen = "127.0.0.1:" + std::to_string(port);
    config.operations_listen = GENERATE("", "127.0.0.1:0");
    operations::Sources sources;
    sources.domains = [] { return std::vector<engine::DomainStatus>(); };
    cli::HttpService service(config, sources);
    const auto reserved = service.host_shapes();
    CHECK(reserved.contains("GET /openapi.json"));
    CHECK(reserved.contains("GET /health") == config.operations_listen.empty());
    service.start();
    service.started();
    const auto route = [](const std::string &pattern, const std::string &plugin, const std::string &version) {
        http::Route made;
        made.pattern = pattern;
        made.owner = "plugin " + plugin;
        made.handler = [plugin, version](const http::Request &) { return http::Response::json(200, "\"" + plugin + " " + version + "\""); };
        return made;
    };
    const auto get = [&](const std::string &path) { return test::http(port, "GET", path).body; };
    for (const char *version : {"1", "2"}) {
        const auto problems =
            service.set_plugin_routes({route("/a/{x}", "one", version), route("/openapi.json", "two", version),
                                       route("/a/{y}", "two", version), route("/two", "two", version), route("/three", "three", version)});
        REQUIRE(problems.size() == 2);
        CHECK(problems[0] == "GET /openapi.json of plugin two matches the same paths as GET /openapi.json of operations");
        CHECK(problems[1] == "GET /a/{y} of plugin two matches the same paths as GET /a/{x} of plugin one");
        CHECK(get("/a/b") == "\"one " + std::string(version) + "\"");
        CHECK(get("/two") == "\"two " + std::string(version) + "\"");
        CHECK(get("/three") == "\"three " + std::string(version) + "\"");
        CHECK(get("/openapi.json").find("/three") != std::string::npos);
    }
    service.stopping();
    CHECK(get("/three") == "\"three 2\"");
    CHECK(service.stop());
}

TEST_CASE("a route of the host's own can't be a plugin's, and domains of one plugin may share theirs") {
    plugin::Description description;
    description.name = "one";
    plugin::Route health;
    health.path = "/health";
    description.routes = {health};
    engine::RouteClaims host({{plugin::route_shape(WEIR_HTTP_GET, "/health"), "operations"}});
    const std::string reason = host.claim("one", description).value_or("");
    CHECK(reason.find("the host (operations)") != std::string::npos);
    engine::RouteClaims claims({});
    CHECK_FALSE(claims.claim("one", description));
    CHECK_FALSE(claims.claim("two", description));
    description.name = "another";
    CHECK(claims.claim("three", description).value_or("").find("plugin one (domain one)") != std::string::npos);
}

TEST_CASE("what is wrong with a route is said with its place") {
    CHECK(
        wrong({route(WEIR_HTTP_GET, "/"), route(WEIR_HTTP_POST, "/"), route(WEIR_HTTP_GET, "/a/{b}/c"), route(WEIR_HTTP_GET, "/x/{y...}")})
            .empty());
    for (const char *path : {"", "a", "/a/", "//", "/a//b", "/{", "/{}", "/{A}", "/{a}b", "/{a...}/b", "/{a}/{a}", "/a b", "/a?b", "/a%20",
                             "/../a", "/\xC3\xA4"}) {
        INFO(path);
        CHECK(wrong({route(WEIR_HTTP_GET, path)}).find("routes/0") == 0);
    }
    CHECK(wrong({route(0, "/a")}).find("method") != std::string::npos);
    CHECK(wrong({route(6, "/a")}).find("method") != std::string::npos);
    CHECK(wrong({route(WEIR_HTTP_GET, "/a/{b}"), route(WEIR_HTTP_GET, "/a/{c}")}).find("GET /a/{b}") != std::string::npos);
    const auto changed = [](auto change) {
        weir_http_route_v1 made = route(WEIR_HTTP_GET, "/a");
        change(made);
        return wrong({made});
    };
    CHECK(changed([](auto &made) { made.handle = nullptr; }).find("handler") != std::string::npos);
    CHECK(changed([](auto &made) { made.flags = 4; }).find("flags") != std::string::npos);
    CHECK(changed([](auto &made) { made.flags = WEIR_HTTP_EVENTS; }).find("max_age_ms") != std::string::npos);
    CHECK(changed([](auto &made) { made.method = WEIR_HTTP_POST, made.max_age_ms = 1; }).find("max_age_ms") != std::string::npos);
    CHECK(changed([](auto &made) { made.produces = view("text/html; charset=utf-8"); }).find("media type") != std::string::npos);
    CHECK(changed([](auto &made) { made.content_security_policy = view("a\r\nb"); }).find("control") != std::string::npos);
    CHECK(changed([](auto &made) { made.path = {nullptr, 5}; }).find("no data") != std::string::npos);

    std::vector<plugin::Route> out;
    weir_http_v1 http{8, 0, nullptr, 0, 0};
    CHECK(plugin::describe_routes(http, out).value_or("").find("size") != std::string::npos);
    http.size = sizeof http;
    CHECK_FALSE(plugin::describe_routes(http, out));
    http.route_count = 100000;
    CHECK(plugin::describe_routes(http, out).value_or("").find("routes") != std::string::npos);
}
