// SPDX-License-Identifier: Apache-2.0
#include "fixture_files.hpp"
#include "plugin/install.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace weir;
namespace fs = std::filesystem;

namespace {

plugin::InstallOptions options(const test::Directories &directories) {
    plugin::InstallOptions made;
    made.directory = directories.plugins;
    made.private_directory = directories.copies;
    made.trial_command = test::trial_command();
    made.trial_deadline = std::chrono::seconds(20);
    return made;
}

std::string installed_version(const test::Directories &directories) {
    plugin::PluginRefusal refusal;
    const auto module = plugin::load_file(directories.plugins / "good.so", directories.loading(), refusal);
    return module ? module->description().version : refusal.code;
}

} // namespace

TEST_CASE("a plugin is installed under its own name, with rights that the host accepts") {
    test::Directories directories;
    fs::remove(directories.plugins);
    const mode_t before = umask(0002);
    const auto result = plugin::install_plugin(test::fixture("good"), options(directories));
    umask(before);
    INFO(result.message);
    REQUIRE_FALSE(result.refusal);
    CHECK(result.plugin == "good");
    CHECK(result.version == "1.0.0");
    CHECK(result.file == directories.plugins / "good.so");
    CHECK_FALSE(plugin::check_file(result.file));
    struct stat status {};
    REQUIRE(stat(result.file.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0644);
}

TEST_CASE("a file that can't be a plugin changes nothing") {
    test::Directories directories;
    REQUIRE_FALSE(plugin::install_plugin(test::fixture("good"), options(directories)).refusal);
    const std::string before = test::read_file(directories.plugins / "good.so");
    for (const auto &[name, code] : std::vector<std::pair<std::string, std::string>>{{"no_entry", "no_entry"},
                                                                                     {"newer_abi", "newer_abi"},
                                                                                     {"constructor_crashes", "crashes_on_load"},
                                                                                     {"entry_null", "entry_failed"},
                                                                                     {"needs_missing", "missing_library"},
                                                                                     {"table_wrong", "bad_descriptor"}}) {
        const auto result = plugin::install_plugin(test::fixture(name), options(directories));
        INFO(name << ": " << result.message);
        REQUIRE(result.refusal);
        CHECK(result.refusal->code == code);
        CHECK(result.message.find(result.refusal->remedy) != std::string::npos);
    }
    CHECK(test::read_file(directories.plugins / "good.so") == before);
    CHECK_FALSE(fs::exists(directories.plugins / ".previous" / "good.so"));
}

TEST_CASE("a rollback swaps the two versions, and twice is where it began") {
    test::Directories directories;
    CHECK(plugin::rollback_plugin("good", options(directories)).refusal->code == "no_previous");
    REQUIRE_FALSE(plugin::install_plugin(test::fixture("good"), options(directories)).refusal);
    CHECK(plugin::rollback_plugin("good", options(directories)).refusal->code == "no_previous");
    REQUIRE_FALSE(plugin::install_plugin(test::fixture("good_2"), options(directories)).refusal);
    CHECK(installed_version(directories) == "2.0.0");
    const auto back = plugin::rollback_plugin("good", options(directories));
    REQUIRE_FALSE(back.refusal);
    CHECK(back.version == "1.0.0");
    CHECK(installed_version(directories) == "1.0.0");
    REQUIRE_FALSE(plugin::rollback_plugin("good", options(directories)).refusal);
    CHECK(installed_version(directories) == "2.0.0");
}

TEST_CASE("installing what is there already keeps the predecessor") {
    test::Directories directories;
    REQUIRE_FALSE(plugin::install_plugin(test::fixture("good"), options(directories)).refusal);
    REQUIRE_FALSE(plugin::install_plugin(test::fixture("good_2"), options(directories)).refusal);
    const auto again = plugin::install_plugin(test::fixture("good_2"), options(directories));
    REQUIRE_FALSE(again.refusal);
    CHECK(again.message.find("already") != std::string::npos);
    CHECK(plugin::rollback_plugin("good", options(directories)).version == "1.0.0");
}

TEST_CASE("a plugin that is removed can be brought back") {
    test::Directories directories;
    CHECK(plugin::remove_plugin("good", options(directories)).refusal->code == "not_installed");
    CHECK(plugin::remove_plugin("../good", options(directories)).refusal->code == "bad_name");
    REQUIRE_FALSE(plugin::install_plugin(test::fixture("good"), options(directories)).refusal);
    REQUIRE_FALSE(plugin::remove_plugin("good", options(directories)).refusal);
    CHECK_FALSE(fs::exists(directories.plugins / "good.so"));
    CHECK(plugin::rollback_plugin("good", options(directories)).version == "1.0.0");
    CHECK(installed_version(directories) == "1.0.0");
}

TEST_CASE("a plugin that another file serves already is not installed beside it") {
    test::Directories directories;
    test::place("good", directories.plugins / "mine.so");
    const auto result = plugin::install_plugin(test::fixture("good_2"), options(directories));
    REQUIRE(result.refusal);
    CHECK(result.refusal->code == "elsewhere");
    CHECK(result.message.find("mine.so") != std::string::npos);
    const auto removal = plugin::remove_plugin("good", options(directories));
    REQUIRE(removal.refusal);
    CHECK(removal.refusal->code == "elsewhere");
    CHECK(fs::exists(directories.plugins / "mine.so"));
}

TEST_CASE("overwriting an installed file in place does not change what is kept of it") {
    test::Directories directories;
    REQUIRE_FALSE(plugin::install_plugin(test::fixture("good"), options(directories)).refusal);
    REQUIRE_FALSE(plugin::install_plugin(test::fixture("good_2"), options(directories)).refusal);
    test::write_file(directories.plugins / "good.so", "spoilt");
    CHECK(plugin::rollback_plugin("good", options(directories)).version == "1.0.0");
}

TEST_CASE("commands that are killed at any moment leave a whole plugin in place") {
    test::Directories directories;
    REQUIRE_FALSE(plugin::install_plugin(test::fixture("good"), options(directories)).refusal);
    const std::string one = test::read_file(test::fixture("good"));
    const std::string two = test::read_file(test::fixture("good_2"));
    std::srand(static_cast<unsigned>(test::seed()));
    for (int round = 0; round < 40; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            try {
                for (int turn = 0;; ++turn) {
                    plugin::install_plugin(test::fixture(turn % 2 == 0 ? "good_2" : "good"), options(directories));
                    plugin::rollback_plugin("good", options(directories));
                }
            } catch (...) {
                _exit(1); // it must be killed, not fail
            }
        }
        // However long the child has got by then: the point is that it is not known.
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(500 + std::rand() % 25000);
        test::eventually([] { return false; },
                         std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()));
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        REQUIRE(WIFSIGNALED(status));
        const std::string now = test::read_file(directories.plugins / "good.so");
        REQUIRE((now == one || now == two));
        const fs::path previous = directories.plugins / ".previous" / "good.so";
        if (fs::exists(previous)) {
            const std::string kept = test::read_file(previous);
            REQUIRE((kept == one || kept == two));
        }
    }
    CHECK_FALSE(plugin::install_plugin(test::fixture("good_2"), options(directories)).refusal);
}

TEST_CASE("a running catalog follows install, rollback and remove") {
    test::Directories directories;
    plugin::CatalogOptions watching;
    watching.directory = directories.plugins;
    watching.private_directory = directories.copies;
    watching.trial_command = test::trial_command();
    watching.trial_deadline = std::chrono::seconds(20);
    test::Told told;
    plugin::Catalog catalog(watching, told.listener());
    catalog.start();
    plugin::install_plugin(test::fixture("good"), options(directories));
    REQUIRE(told.hears("loaded good 1.0.0 generation 1"));
    plugin::install_plugin(test::fixture("good_2"), options(directories));
    REQUIRE(told.hears("loaded good 2.0.0 generation 2"));
    plugin::rollback_plugin("good", options(directories));
    REQUIRE(told.hears("loaded good 1.0.0 generation 3"));
    plugin::remove_plugin("good", options(directories));
    CHECK(told.hears("removed good"));
}
