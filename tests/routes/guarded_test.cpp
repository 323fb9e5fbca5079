// SPDX-License-Identifier: Apache-2.0
// Routes for whoever the operator trusts, and what the OpenAPI document says of routes.
#include "desk.hpp"

#include "cli/plugin_routes.hpp"
#include "http/openapi.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace weir;
using namespace weir::test;

namespace {

Headers bearer(const std::string &token) { return {{"Authorization", "Bearer " + token}}; }

} // namespace

TEST_CASE("a guarded route is only run with the host's token, whatever it is and whoever was answered before") {
    Desk desk;
    REQUIRE(desk.ask("POST", "/desk/notes", R"({"id":"a","words":"b"})").status == 201);
    for (const std::string path : {"/desk/private", "/desk/private-count"}) {
        CHECK(desk.ask("GET", path).status == 401);
        const HttpAnswer seen = desk.ask("GET", path, {}, bearer(Desk::kToken));
        CHECK(seen.status == 200);
        CHECK(seen.header("Cache-Control") == "no-store");
        const HttpAnswer refused = desk.ask("GET", path, {}, bearer("another"));
        CHECK(refused.status == 401);
        CHECK(refused.header("Content-Type") == "application/problem+json");
        CHECK(desk.ask("HEAD", path).status == 401);
    }
    CHECK(desk.ask("PUT", "/desk/private/a").status == 401);
    CHECK_FALSE(desk.note("a").empty());
    CHECK(desk.ask("PUT", "/desk/private/a", {}, bearer(Desk::kToken)).status == 204);
    CHECK(desk.note("a").empty());
    CHECK(desk.ask("GET", "/desk/private-counts").status == 401);
    RawClient stream(desk.port);
    stream.send("GET /desk/private-counts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + std::string(Desk::kToken) + "\r\n\r\n");
    CHECK(stream.header().status == 200);
    CHECK(desk.ask("GET", "/desk/notes").status == 200); // others are as open as before
}

TEST_CASE("a plugin with a guarded route that would run on a host which knows no such thing is refused") {
    plugin::PluginRefusal refusal;
    const TemporaryDirectory directory;
    const auto file = directory / "unguarded.so";
    std::filesystem::copy_file(std::filesystem::path(WEIR_TEST_FIXTURES) / "unguarded.so", file);
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    CHECK_FALSE(plugin::load_file(file, directory / "private", {}, refusal));
    INFO(refusal.message);
    CHECK(refusal.message.find("GET /secret") != std::string::npos);
    CHECK(refusal.message.find("abi_minor is 1") != std::string::npos);
}

TEST_CASE("the OpenAPI document tells of each route what it may be answered with, and which ones want a token") {
    Desk desk;
    const auto document = nlohmann::json::parse(http::openapi_document(cli::plugin_routes(desk.board), {"Desk", "1", "", {}}));
    const auto answers = [&](const char *path, const char *method) {
        std::vector<std::string> statuses;
        for (const auto &[status, answer] : document.at("paths").at(path).at(method).at("responses").items()) {
            statuses.push_back(status);
            const bool is_problem = status.size() == 3 && status[0] >= '4';
            CHECK((!is_problem || answer.at("content").contains("application/problem+json")));
        }
        return statuses;
    };
    using Statuses = std::vector<std::string>;
    CHECK(answers("/desk/notes", "get") == Statuses{"200", "304", "406", "500", "503", "504", "default"});
    CHECK(answers("/desk/notes", "post") ==
          Statuses{"2XX", "400", "406", "409", "413", "415", "422", "500", "502", "503", "504", "default"});
    CHECK(answers("/desk/notes/{id}", "delete") ==
          Statuses{"2XX", "400", "404", "406", "409", "412", "422", "428", "500", "502", "503", "504", "default"});
    CHECK(answers("/desk/private/{id}", "put") == Statuses{"2XX", "400", "401", "403", "404", "406", "409", "412", "413", "415", "422",
                                                           "428", "500", "502", "503", "504", "default"});
    CHECK(answers("/desk/counts", "get") == Statuses{"200", "406", "500", "503", "default"});
    const auto headers = [&](const char *path, const char *method) {
        std::vector<std::string> names;
        for (const auto &parameter : document.at("paths").at(path).at(method).at("parameters")) {
            if (parameter.at("in") == "header") {
                names.push_back(parameter.at("name"));
            }
        }
        return names;
    };
    CHECK(headers("/desk/notes", "get") == Statuses{"If-None-Match"});
    CHECK(headers("/desk/notes", "post") == Statuses{"Idempotency-Key"});
    CHECK(headers("/desk/notes/{id}", "delete") == Statuses{"If-Match"});
    CHECK(headers("/desk/private/{id}", "put") == Statuses{"If-Match"});
    CHECK(document.at("paths").at("/desk/private/{id}").at("put").at("requestBody").at("content").contains("application/json"));
    CHECK(document.at("paths").at("/desk/private").at("get").contains("security"));
    CHECK_FALSE(document.at("paths").at("/desk/notes").at("get").contains("security"));
}
