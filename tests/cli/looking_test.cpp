// SPDX-License-Identifier: Apache-2.0
// Commands that only look: what they leave behind, what they say where they may not look, and where there is nothing to look at.
#include "workbench.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace weir::test;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const std::vector<std::vector<std::string>> kLooking{
    {"doctor", "-c"}, {"config", "check", "-c"}, {"plugin", "list", "-c"}, {"deadletter", "list", "-c", "-d", "linting"}, {"status", "-c"}};

constexpr uid_t kNobody = 65534;

/// Another user, without any right of root's, who may only read and go through directories.
Ran as_nobody(const Workbench &bench, const std::vector<std::string> &words) {
    fs::permissions(bench.path(), fs::perms(0755));
    std::vector<std::string> command{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", Workbench::program().string()};
    for (const std::string &word : words) {
        command.push_back(word);
        if (word == "-c") {
            command.push_back(bench.config().string());
        }
    }
    return bench.run(command);
}

} // namespace

TEST_CASE("a command that only looks makes no directory, so that it is in the way of no host that runs as another user") {
    for (const std::vector<std::string> &words : kLooking) {
        const Workbench bench;
        CAPTURE(words);
        const Ran ran = bench.weir(words);
        INFO(ran.out << ran.err);
        CHECK_FALSE(fs::exists(bench.path() / "data"));
        CHECK_THAT(ran.out + ran.err, !Contains("copy_failed") && !Contains("no plugin offers"));
    }
}

TEST_CASE("a command of another user sees the same plugins, and touches nothing of the host's") {
    if (geteuid() != 0) {
        return; // only root can give directories away
    }
    for (const std::vector<std::string> &words : kLooking) {
        const Workbench bench;
        CAPTURE(words);
        fs::create_directories(bench.path() / "data" / "state");
        REQUIRE(chown((bench.path() / "data").c_str(), kNobody, kNobody) == 0);
        REQUIRE(chown((bench.path() / "data" / "state").c_str(), kNobody, kNobody) == 0);
        const Ran ran = bench.weir(words);
        INFO(ran.out << ran.err);
        CHECK(fs::is_empty(bench.path() / "data" / "state"));
        CHECK_THAT(ran.out + ran.err, !Contains("copy_failed") && !Contains("no plugin offers"));
    }
    const Workbench bench; // where somebody has been in the way already
    fs::create_directories(bench.path() / "data" / "state" / "plugins");
    REQUIRE(chown((bench.path() / "data" / "state").c_str(), kNobody, kNobody) == 0);
    const Ran listed = as_nobody(bench, {"plugin", "list", "-c"});
    INFO(listed.err);
    CHECK(listed.code == 0);
    CHECK_THAT(listed.out, Contains("linting"));
}

TEST_CASE("what the caller may not look at is said, and not taken for nothing") {
    if (geteuid() != 0) {
        return;
    }
    const Workbench bench;
    fs::create_directories(bench.path() / "data" / "state");
    fs::create_directories(bench.path() / "data" / "store");
    write_file(bench.path() / "data" / "store" / "linting.db", "");
    fs::permissions(bench.path() / "data" / "state", fs::perms(0700));
    fs::permissions(bench.path() / "data" / "store", fs::perms(0700));
    const Ran status = as_nobody(bench, {"status", "-c"});
    INFO(status.out << status.err);
    CHECK(status.code == 5);
    CHECK_THAT(status.err, Contains("state_directory") && Contains("can't be looked into"));
    const Ran letters = as_nobody(bench, {"deadletter", "list", "-c", "-d", "linting"});
    INFO(letters.out << letters.err);
    CHECK(letters.code == 5);
    CHECK_THAT(letters.err, Contains("linting.db can't be looked at"));
    fs::permissions(bench.path() / "plugins", fs::perms(0700));
    const Ran listed = as_nobody(bench, {"plugin", "list", "-c"});
    INFO(listed.out << listed.err);
    CHECK(listed.code == 5);
    CHECK_THAT(listed.err, Contains("plugins.directory") && Contains("can't be read"));
}

TEST_CASE("a plugin directory that is configured and isn't there is an error that names the key, and an empty one waits") {
    const Workbench bench;
    fs::remove_all(bench.path() / "plugins");
    for (const std::vector<std::string> &words : std::vector<std::vector<std::string>>{{"run", "-c"},
                                                                                       {"run", "-c", "--fail-fast"},
                                                                                       {"run", "-c", "--until-drained"},
                                                                                       {"config", "check", "-c"},
                                                                                       {"plugin", "list", "-c"}}) {
        CAPTURE(words);
        Child child = bench.start(words);
        const Ran ran = child.wait();
        INFO(ran.out << ran.err);
        CHECK(ran.code == 4);
        CHECK_THAT(ran.err, Contains("plugins.directory") && Contains("is not there"));
    }
    CHECK_FALSE(fs::exists(bench.path() / "data"));
    fs::create_directory(bench.path() / "plugins");
    fs::permissions(bench.path() / "plugins", fs::perms(0755));
    const Ran drained = bench.weir({"run", "-c", "--until-drained"});
    INFO(drained.err);
    CHECK(drained.code == 0);
    write_file(bench.config(), R"({"data_directory": "data", "plugins": {"directory": "plugins", "default": "none"},
                                   "domains": {"linting": {}}, "log": {"level": "warn"}})");
    CHECK(bench.weir({"run", "-c", "--until-drained", "--drain-timeout", "0.5"}).code == 3); // a domain is configured and not served
    CHECK(bench.weir({"run", "-c", "--fail-fast"}).code != 0);
}
