// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace weir::test;
using Catch::Matchers::Contains;

namespace {

/// Whether doctor ends with 1 and finds the fault, with a remedy.
bool finds(const Workbench &bench, const std::string &name) {
    const Ran ran = bench.weir({"doctor", "-c", "--json"});
    bool found = false;
    const auto report = ran.json();
    for (const auto &each : report["findings"]) {
        found = found || (each["name"] == name && each["health"] == "fault" && !each["remedy"].get<std::string>().empty());
    }
    INFO(ran.out);
    CHECK(ran.code == 1);
    CHECK(report["ok"] == false);
    return found;
}

} // namespace

TEST_CASE("doctor finds nothing wrong where nothing is, and leaves nothing behind") {
    const Workbench bench;
    const Ran ran = bench.weir({"doctor", "-c", "--json"});
    INFO(ran.out);
    CHECK(ran.code == 0);
    CHECK(ran.json()["ok"] == true);
    CHECK_FALSE(std::filesystem::exists(bench.path() / "data" / "broker.db"));
    for (const auto &entry : std::filesystem::recursive_directory_iterator(bench.path())) {
        CHECK_THAT(entry.path().filename().string(), !Contains("weir-doctor"));
    }
    CHECK_THAT(bench.weir({"doctor", "-c"}).out, Contains("Nothing here keeps Weir from running"));
}

TEST_CASE("doctor finds each fault that is planted, and says how to mend it") {
    Workbench bench;
    SECTION("a typing error in the configuration") {
        write_file(bench.config(), R"({"stoer": {}})");
        CHECK(finds(bench, "configuration"));
    }
    SECTION("no plugin directory") {
        std::filesystem::remove_all(bench / "plugins");
        CHECK(finds(bench, "plugins_directory"));
    }
    SECTION("a plugin directory that everybody may write to") {
        std::filesystem::permissions(bench / "plugins", std::filesystem::perms(0777));
        CHECK(finds(bench, "plugin_refused"));
        std::filesystem::remove(bench.path() / "plugins" / "linting.so");
        CHECK(finds(bench, "plugins_directory")); // an empty one as well
    }
    SECTION("a plugin that is none") {
        write_file(bench.path() / "plugins" / "broken.so", "text");
        CHECK(finds(bench, "plugin_refused"));
    }
    SECTION("a domain that nobody serves") {
        write_file(bench.config(), R"({"data_directory": "data", "plugins": {"directory": "plugins", "default": "none"},
                                       "domains": {"orphan": {"topics": ["t"]}}})");
        CHECK(finds(bench, "domain_unserved"));
    }
    SECTION("a file where the state directory should be") {
        write_file(bench / "file", "");
        bench.environment["WEIR_STATE_DIRECTORY"] = (bench / "file").string();
        CHECK(finds(bench, "state_directory"));
    }
    SECTION("a store below a file") {
        write_file(bench / "file", "");
        bench.environment["WEIR_STORE_URL"] = "sqlite://" + (bench / "file").string() + "/store";
        CHECK(finds(bench, "store_directory"));
        CHECK(finds(bench, "store"));
    }
    SECTION("a store that everybody may write to") {
        std::filesystem::create_directory(bench / "open");
        std::filesystem::permissions(bench / "open", std::filesystem::perms(0777));
        bench.environment["WEIR_STORE_URL"] = "sqlite://" + (bench / "open").string();
        CHECK(finds(bench, "store_directory"));
    }
    SECTION("a broker's file that is another program's") {
        write_file(bench / "notes.txt", std::string(4096, 'x'));
        bench.environment["WEIR_BROKER_URL"] = "embedded://" + (bench / "notes.txt").string();
        CHECK(finds(bench, "broker"));
    }
    SECTION("a read-only file system") {
        bench.environment["WEIR_STORE_URL"] = "sqlite:///proc/weir";
        CHECK(finds(bench, "store"));
    }
}

TEST_CASE("doctor finds a limit of open files that is too low") {
    const Workbench bench;
    const Ran ran =
        bench.run({"sh", "-c", "ulimit -n 40; exec " + Workbench::program().string() + " doctor --json -c " + bench.config().string()});
    CHECK(ran.code == 1);
    CHECK_THAT(ran.out, Contains(R"("open_files","health":"fault")") && Contains("ulimit -n"));
}
