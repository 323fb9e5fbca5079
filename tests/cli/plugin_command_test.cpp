// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <set>

using namespace weir::test;
using Catch::Matchers::Contains;

TEST_CASE("plugin list shows what lies in the directory, the refused ones with reason and remedy") {
    const Workbench bench({"linting", "projection"});
    write_file(bench.path() / "plugins" / "text.so", "not a library");
    const auto listed = bench.weir({"plugin", "list", "-c", "--json"}).json();
    REQUIRE(listed["plugins"].size() == 2);
    CHECK(listed["plugins"][0]["plugin"] == "linting");
    CHECK(listed["plugins"][0]["domains"] == nlohmann::json({"linting"}));
    REQUIRE(listed["refused"].size() == 1);
    CHECK(listed["refused"][0]["code"] == "not_elf");
    CHECK_FALSE(listed["refused"][0]["remedy"].get<std::string>().empty());
}

TEST_CASE("plugin inspect shows domains, handlers and tables, by name or by file") {
    const Workbench bench;
    const auto about = bench.weir({"plugin", "inspect", "-c", "linting", "--json"}).json();
    CHECK(about["plugin"] == "linting");
    CHECK(about["domains"][0]["topics"] == nlohmann::json({"identity.user.v1"}));
    CHECK(about["handlers"].size() == 3);
    CHECK(about["tables"][0]["name"] == "identity_projection");
    CHECK_THAT(bench.weir({"plugin", "inspect", "-c", "plugins/linting.so"}).out,
               Contains("handle_linting_user_created") && Contains("identity_projection"));
}

TEST_CASE("plugin check ends with 1 for a file that isn't taken, and says what to do") {
    const Workbench bench;
    CHECK(bench.weir({"plugin", "check", "-c", "linting"}).code == 0);
    write_file(bench / "empty.so", "");
    const Ran refused = bench.weir({"plugin", "check", "-c", "./empty.so"});
    CHECK(refused.code == 1);
    CHECK_THAT(refused.err, Contains("empty.so"));
    CHECK(bench.weir({"plugin", "check", "-c", "./missing.so"}).code == 1);
    CHECK(bench.weir({"plugin", "check", "-c", "./empty.so", "--json"}).json()["ok"] == false);
}

TEST_CASE("plugin check and install compare a plugin's tables with those of its domain, and change nothing") {
    const Workbench bench;
    REQUIRE(bench.weir({"run", "-c", "--until-drained"}).code == 0);
    CHECK(bench.weir({"plugin", "check", "-c", "linting", "--json"}).json()["migrations"]["linting"].empty());
    CHECK_THAT(bench.weir({"doctor", "-c"}).out, !Contains("would not be served"));
    bench.query("linting", "drop table user_prefs");
    CHECK_THAT(bench.weir({"plugin", "check", "-c", "linting"}).out, Contains("to come: created table user_prefs"));
    bench.query("linting", "create table user_prefs (tenant_id integer primary key)");
    const std::string file = (build_directory() / "plugins" / "linting.so").string();
    for (const std::vector<std::string> &words :
         {std::vector<std::string>{"plugin", "check", "-c", "linting"}, {"plugin", "install", "-c", file}}) {
        const Ran refused = bench.weir(words);
        CHECK(refused.code == 1);
        CHECK_THAT(refused.err, Contains("schema_misfit") && Contains("user_prefs") && Contains("service.schema"));
    }
    const Ran looked = bench.weir({"doctor", "-c"});
    CHECK(looked.code != 0);
    CHECK_THAT(looked.out + looked.err, Contains("domain linting would not be served") && Contains("user_prefs"));
    CHECK(bench.query("linting", "select count(*) from pragma_table_info('user_prefs')") == "1");
}

TEST_CASE("a plugin is installed, removed and brought back") {
    const Workbench bench(std::vector<std::string>{});
    const std::string file = (build_directory() / "plugins" / "linting.so").string();
    CHECK(bench.weir({"plugin", "install", "-c", file}).code == 0);
    CHECK(std::filesystem::exists(bench.path() / "plugins" / "linting.so"));
    CHECK(bench.weir({"plugin", "remove", "-c", "linting", "--json"}).json()["ok"] == true);
    CHECK_FALSE(std::filesystem::exists(bench.path() / "plugins" / "linting.so"));
    CHECK(bench.weir({"plugin", "rollback", "-c", "linting"}).code == 0);
    CHECK(bench.weir({"plugin", "list", "-c", "--json"}).json()["plugins"].size() == 1);
    const Ran unknown = bench.weir({"plugin", "remove", "-c", "nothing"});
    CHECK(unknown.code == 1);
    CHECK_THAT(unknown.err, Contains("not_installed"));
}

TEST_CASE("plugin new writes the template with its names filled in, and never over something") {
    const Workbench bench;
    CHECK(bench.weir({"plugin", "new", "spell-audit"}).code == 0);
    CHECK_THAT(read_file(bench.path() / "spell-audit" / "spell-audit.cpp"),
               Contains("spell_audit") && Contains("\"spell-audit\"") && !Contains("@NAME@") && !Contains("@IDENT@"));
    CHECK_THAT(read_file(bench.path() / "spell-audit" / "CMakeLists.txt"), Contains("find_package(weir-sdk") && !Contains("@NAME@"));
    CHECK(std::filesystem::exists(bench.path() / "spell-audit" / "test" / "spell-audit_test.cpp"));
    write_file(bench.path() / "spell-audit" / "spell-audit.cpp", "mine");
    CHECK(bench.weir({"plugin", "new", "spell-audit"}).code == 1);
    CHECK(read_file(bench.path() / "spell-audit" / "spell-audit.cpp") == "mine");
    CHECK(bench.weir({"plugin", "new", "Bad_Name"}).code == 2);
    CHECK(bench.weir({"plugin", "new", "../escape"}).code == 2);
}

TEST_CASE("plugin check, list and inspect leave nothing behind, whether or not there is a configuration") {
    const Workbench bench({"linting"});
    const auto there = [&] {
        std::set<std::string> files;
        for (const auto &entry : std::filesystem::recursive_directory_iterator(bench.path())) {
            files.insert(entry.path().string());
        }
        return files;
    };
    const auto before = there();
    const std::string file = (bench / "plugins" / "linting.so").string();
    write_file(bench / "empty.so", "");
    for (const std::vector<std::string> &command : {std::vector<std::string>{"plugin", "check", file},
                                                    {"plugin", "check", "-c", file},
                                                    {"plugin", "check", "./empty.so"},
                                                    {"plugin", "list", "-c"},
                                                    {"plugin", "inspect", "-c", "linting"},
                                                    {"deadletter", "list", "-c", "-d", "linting"}}) {
        INFO(command[1]);
        bench.weir(command);
        auto after = there();
        after.erase((bench / "empty.so").string());
        CHECK(after == before);
    }
    std::filesystem::create_directories(bench / "data" / "state"); // what was there stays
    CHECK(bench.weir({"plugin", "check", "-c", file}).code == 0);
    CHECK(std::filesystem::exists(bench / "data" / "state"));
    CHECK_FALSE(std::filesystem::exists(bench / "data" / "state" / "plugins"));
}
