// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace weir::test;
using Catch::Matchers::Contains;

namespace {
nlohmann::json setting(const nlohmann::json &report, const std::string &key) {
    for (const auto &each : report["settings"]) {
        if (each["key"] == key) {
            return each;
        }
    }
    return nullptr;
}
} // namespace

TEST_CASE("config check shows each value with its source, and a guarantee for each domain, and changes nothing") {
    Workbench bench;
    bench.environment["WEIR_ENGINE_MAX_RETRIES"] = "7";
    const Ran ran = bench.weir({"config", "check", "-c", "--json"});
    REQUIRE(ran.code == 0);
    const auto report = ran.json();
    CHECK(setting(report, "engine.max_retries")["value"] == "7");
    CHECK(setting(report, "engine.max_retries")["source"] == "environment WEIR_ENGINE_MAX_RETRIES");
    CHECK(setting(report, "engine.crash_limit")["source"] == "default");
    CHECK_THAT(setting(report, "log.level")["source"].get<std::string>(), Contains("weir.json"));
    REQUIRE(report["domains"].size() == 1);
    CHECK_THAT(report["domains"][0]["guarantee"].get<std::string>(), Contains("linting: each event takes effect exactly once"));
    CHECK_FALSE(std::filesystem::exists(bench.path() / "data" / "broker.db"));
    CHECK_FALSE(std::filesystem::exists(bench.path() / "data" / "store"));
    CHECK_THAT(bench.weir({"config", "check", "-c"}).out, Contains("engine.max_retries") && Contains("linting: each event"));
}

TEST_CASE("the guarantee is that of the configured brokers and stores") {
    Workbench bench;
    bench.environment["WEIR_STORE_URL"] = "sqlite://" + (bench / "s").string() + "?synchronous=normal";
    CHECK_THAT(bench.weir({"config", "check", "-c"}).out, Contains("a power cut may take the last ones back"));
}

TEST_CASE("config check of a wrong configuration ends with 4 and lists every problem") {
    const Workbench bench;
    write_file(bench.config(), R"({"data_directory": "data", "log": {"levl": "info"}, "engine": {"max_retries": -1}})");
    const Ran ran = bench.weir({"config", "check", "-c", "--json"});
    CHECK(ran.code == 4);
    CHECK(ran.json()["ok"] == false);
    CHECK(ran.json()["problems"].size() == 2);
    CHECK_THAT(bench.weir({"config", "check", "-c"}).err, Contains("levl"));
}

TEST_CASE("a domain that nothing serves is shown with the reason, and config check ends with 4 for it") {
    const Workbench bench;
    write_file(bench.config(), R"({"data_directory": "data", "plugins": {"directory": "plugins", "default": "none"},
                                   "domains": {"orphan": {"topics": ["identity.user.v1"]}}})");
    const Ran told = bench.weir({"config", "check", "-c"});
    CHECK_THAT(told.out, Contains("orphan: not served: no plugin offers domain orphan"));
    CHECK(told.code == 4);
    const Ran json = bench.weir({"config", "check", "-c", "--json"});
    CHECK(json.code == 4);
    CHECK(json.json()["ok"] == false);
    CHECK(json.json()["domains"].back()["served"] == false);
}
