// SPDX-License-Identifier: Apache-2.0
#include "fixture_files.hpp"
#include "plugin/trial.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <random>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace weir;
namespace fs = std::filesystem;

namespace {

std::shared_ptr<const plugin::Module> load(const test::Directories &directories, const std::string &name, plugin::PluginRefusal &refusal,
                                           const plugin::LoadOptions *options = nullptr) {
    const fs::path file = directories.plugins / (name + ".so");
    test::place(name, file);
    return plugin::load_file(file, options ? *options : directories.loading(), refusal);
}

plugin::PluginRefusal refusal_of(const std::string &name, bool trial = true) {
    test::Directories directories;
    plugin::LoadOptions options = directories.loading();
    if (!trial) {
        options.trial_command.clear();
    }
    plugin::PluginRefusal refusal;
    INFO(name);
    REQUIRE_FALSE(load(directories, name, refusal, &options));
    INFO(refusal.code << ": " << refusal.message << "; " << refusal.remedy);
    CHECK(refusal.file.filename() == name + ".so");
    CHECK(refusal.remedy.size() > 5);
    return refusal;
}

bool mentions(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("a sound plugin is loaded and described, with a trial and without") {
    for (const bool trial : {true, false}) {
        test::Directories directories;
        plugin::LoadOptions options = directories.loading();
        if (!trial) {
            options.trial_command.clear();
        }
        plugin::PluginRefusal refusal;
        const auto module = load(directories, "good", refusal, &options);
        INFO(refusal.code << ": " << refusal.message);
        REQUIRE(module);
        CHECK(module->description().name == "good");
        CHECK(module->description().version == "1.0.0");
        CHECK(module->description().schema.tables.size() == 1);
        CHECK(module->description().reads.at(0).key_pointers.at(1) == "/payload/user_id");
        CHECK(module->description().domains.at(0).bindings.at(0).envelope_required);
        CHECK(module->origin() == (directories.plugins / "good.so").string());
        const auto lookup = module->handler("user.created.v1");
        REQUIRE(lookup.handler);
        CHECK(lookup.symbol == "handle_good_user_created");
        CHECK(lookup.handler(nullptr, nullptr, nullptr) == WEIR_OK);
        CHECK(module->handler_symbols() == std::vector<std::string>{"handle_good_user_created", "handle_good_user_moved_v2"});
    }
}

TEST_CASE("a handler lookup tells of another version, and of nothing") {
    test::Directories directories;
    plugin::PluginRefusal refusal;
    const auto module = load(directories, "good", refusal);
    REQUIRE(module);
    CHECK(module->handler("user.moved.v1").other_version == "handle_good_user_moved_v2");
    CHECK(module->handler("user.created.v2").other_version == "handle_good_user_created");
    CHECK(module->handler("user.moved.v2").handler);
    CHECK_FALSE(module->handler("user.erased.v1").handler);
    CHECK(module->handler("user.erased.v1").other_version.empty());
    // user.created.v1 is known to the plugin, so its handler serves no other type that happens to have the same name
    CHECK_FALSE(module->handler("user_created.v1").handler);
    // what its libraries export is no handler of the plugin
    CHECK_FALSE(module->handler("malloc").handler);
}

TEST_CASE("handlers are looked up from many threads at once, whatever the types") {
    test::Directories directories;
    plugin::PluginRefusal refusal;
    const auto module = load(directories, "good", refusal);
    REQUIRE(module);
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            for (int i = 0; i < 5000; ++i) {
                wrong += module->handler("user.created.v1").handler == nullptr;
                wrong += module->handler("made.up" + std::to_string(i * 4 + thread) + ".v1").handler != nullptr;
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(wrong == 0);
}

TEST_CASE("no code of a refused file ever runs") {
    test::Directories directories;
    const fs::path marker = directories.root / "marker";
    setenv("WEIR_TEST_MARKER", marker.c_str(), 1);
    plugin::PluginRefusal refusal;
    for (const char *name : {"no_entry", "newer_abi"}) {
        CHECK_FALSE(load(directories, name, refusal));
        CHECK_FALSE(fs::exists(marker));
    }
    // The marker does tell: the constructor of a plugin that fits leaves one.
    CHECK(load(directories, "constructor_marker", refusal));
    CHECK(fs::exists(marker));
    unsetenv("WEIR_TEST_MARKER");
}

TEST_CASE("a plugin that crashes, ends or hangs while it is loaded does so in its trial") {
    CHECK(refusal_of("constructor_crashes").code == "crashes_on_load");
    CHECK(mentions(refusal_of("constructor_crashes").message, "SIGABRT"));
    CHECK(refusal_of("constructor_exits").code == "crashes_on_load");
    CHECK(refusal_of("entry_crashes").code == "crashes_on_load");
    CHECK(refusal_of("entry_garbage").code == "crashes_on_load");
    test::Directories directories;
    plugin::LoadOptions options = directories.loading();
    options.trial_deadline = std::chrono::milliseconds(300);
    plugin::PluginRefusal refusal;
    CHECK_FALSE(load(directories, "constructor_hangs", refusal, &options));
    CHECK(refusal.code == "hangs_on_load");
    CHECK(mentions(refusal.message, "300 ms"));
}

TEST_CASE("a descriptor that is wrong is refused, saying where") {
    for (const bool trial : {true, false}) {
        CHECK(refusal_of("entry_null", trial).code == "entry_failed");
        for (const auto &[name, place] : std::vector<std::pair<std::string, std::string>>{{"size_zero", "size"},
                                                                                          {"size_huge", "size"},
                                                                                          {"name_wrong", "name"},
                                                                                          {"table_wrong", "primary_key"},
                                                                                          {"stride_wrong", "domains"},
                                                                                          {"settings_wrong", "settings"}}) {
            const auto refusal = refusal_of(name, trial);
            CHECK(refusal.code == "bad_descriptor");
            CHECK(mentions(refusal.message, place));
        }
    }
}

TEST_CASE("a plugin that needs a newer minor is refused, naming both versions") {
    const auto refusal = refusal_of("minor_newer");
    CHECK(refusal.code == "newer_abi");
    CHECK(mentions(refusal.message, "ABI 1." + std::to_string(WEIR_ABI_MINOR + 3)));
    CHECK(mentions(refusal.message, "1." + std::to_string(WEIR_ABI_MINOR)));
}

TEST_CASE("two event types on one handler refuse the plugin, naming both") {
    const auto refusal = refusal_of("two_types");
    CHECK(refusal.code == "ambiguous_handler");
    CHECK(mentions(refusal.message, "user.created.v1"));
    CHECK(mentions(refusal.message, "user_created.v1"));
    // The same from the host's known types.
    test::Directories directories;
    plugin::LoadOptions options = directories.loading();
    options.known_event_types = {"user.moved.v2", "user.moved_v2.v1"};
    plugin::PluginRefusal other;
    CHECK_FALSE(load(directories, "good", other, &options));
    CHECK(other.code == "ambiguous_handler");
    CHECK(mentions(other.message, "user.moved_v2.v1"));
}

TEST_CASE("a plugin whose handlers have names that no event leads to is refused, naming them") {
    const auto refusal = refusal_of("misnamed");
    CHECK(refusal.code == "misnamed_handlers");
    CHECK(mentions(refusal.message, "handle_god_user_created"));
    CHECK(mentions(refusal.message, "handle_good_<event type>"));
}

TEST_CASE("a plugin of routes alone may call their functions what handlers are called") {
    test::Directories directories;
    plugin::PluginRefusal refusal;
    const auto module = load(directories, "routes_only", refusal);
    INFO(refusal.message);
    REQUIRE(module);
    CHECK(module->description().routes.size() == 1);
}

TEST_CASE("a trial that can't be started is a refusal that names the command") {
    test::Directories directories;
    plugin::LoadOptions options = directories.loading();
    options.trial_command = {(directories.root / "nothing").string()};
    plugin::PluginRefusal refusal;
    CHECK_FALSE(load(directories, "good", refusal, &options));
    CHECK(refusal.code == "trial_failed");
    CHECK(mentions(refusal.message, "nothing"));
    options.trial_command = {"/bin/true"};
    CHECK_FALSE(load(directories, "good", refusal, &options));
    CHECK(refusal.code == "crashes_on_load");
}

TEST_CASE("two generations of one path run their own code, and the first goes on when its file is overwritten in place") {
    test::Directories directories;
    plugin::PluginRefusal refusal;
    const auto first = load(directories, "good", refusal);
    REQUIRE(first);
    const fs::path file = directories.plugins / "good.so";
    // In place, as `cp` does it: the same inode, cut off and written anew.
    test::write_bytes(file, test::fixture_bytes("good_2"));
    const auto second = plugin::load_file(file, directories.loading(), refusal);
    REQUIRE(second);
    test::write_file(file, std::string(4096, '\0'));
    CHECK(first->handler("user.created.v1").handler(nullptr, nullptr, nullptr) == WEIR_OK);
    CHECK(second->handler("user.created.v1").handler(nullptr, nullptr, nullptr) == WEIR_SKIP);
    CHECK(first->description().version == "1.0.0");
    CHECK(second->description().version == "2.0.0");
}

TEST_CASE("copies lie in a directory of this user's own, and those of dead processes are removed") {
    test::Directories directories;
    const fs::path dead = directories.copies / "999999-1";
    fs::create_directories(dead / "1");
    test::write_file(dead / ".lock", "");
    test::write_file(dead / "1" / "good.so", "left behind");
    const fs::path living = directories.copies / "999998-1";
    fs::create_directories(living);
    test::write_file(living / ".lock", "");
    const int lock = open((living / ".lock").c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(flock(lock, LOCK_EX | LOCK_NB) == 0);
    plugin::PluginRefusal refusal;
    REQUIRE(load(directories, "good", refusal));
    CHECK_FALSE(fs::exists(dead));
    CHECK(fs::exists(living));
    close(lock);
    struct stat status {};
    REQUIRE(stat(directories.copies.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("a place for copies that can't be used is a refusal which says so") {
    test::Directories directories;
    test::write_file(directories.copies, "a file where the directory should be");
    plugin::PluginRefusal refusal;
    CHECK_FALSE(load(directories, "good", refusal));
    CHECK(refusal.code == "copy_failed");
    CHECK(mentions(refusal.message, directories.copies.string()));
}

// What a damaged pointer leads to depends on where things are mapped, so a trial can't foresee every crash: of 17,000 damaged files one
// passed it and then took the host down. Without the trial it was 49 of 180 (WEIR_TEST_WITHOUT_TRIAL=1).
TEST_CASE("a host outlives randomly damaged plugins, but for the rarest") {
    test::Directories directories;
    const fs::path file = directories.plugins / "good.so";
    const auto whole = test::fixture_bytes("good");
    std::mt19937_64 random(test::seed());
    const char *wanted = std::getenv("WEIR_TEST_DAMAGED_LOADS");
    const int rounds = wanted ? std::atoi(wanted) : 60;
    const bool without_trial = std::getenv("WEIR_TEST_WITHOUT_TRIAL") != nullptr;
    plugin::LoadOptions options = directories.loading();
    options.trial_deadline = std::chrono::seconds(3); // some hang
    if (without_trial) {
        options.trial_command.clear();
    }
    int refused = 0;
    int crashed = 0;
    for (int round = 0; round < rounds; ++round) {
        auto bytes = whole;
        for (int flips = 0; flips < 24; ++flips) {
            bytes[random() % bytes.size()] ^= static_cast<std::byte>(1u << random() % 8);
        }
        test::write_bytes(file, bytes);
        // The host is a process of its own here, so that its end is seen. It leaves as it is: a damaged library has damaged destructors.
        const pid_t host = fork();
        if (host == 0) {
            alarm(30);
            plugin::PluginRefusal refusal;
            const bool loaded = plugin::load_file(file, options, refusal) != nullptr;
            std::_Exit(loaded ? 0 : (refusal.code.empty() || refusal.remedy.empty() ? 2 : 1));
        }
        int status = 0;
        REQUIRE(waitpid(host, &status, 0) == host);
        INFO("round " << round << ", status " << status);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 2) {
            ++crashed; // the dynamic loader ends a process with 127 where it can go on no more
            continue;
        }
        REQUIRE(WEXITSTATUS(status) < 2);
        refused += WEXITSTATUS(status);
    }
    std::printf("of %d damaged files %d were refused and %d took the host down\n", rounds, refused, crashed);
    CHECK(refused > 0);
    CHECK(crashed <= 1);
}

// Run with `test_plugin [measure]`; prints, promises nothing.
TEST_CASE("what loading, a trial and a handler lookup cost", "[.measure]") {
    using Clock = std::chrono::steady_clock;
    test::Directories directories;
    plugin::PluginRefusal refusal;
    const auto microseconds = [](Clock::time_point begin, int times) {
        return std::chrono::duration<double, std::micro>(Clock::now() - begin).count() / times;
    };
    plugin::LoadOptions plain = directories.loading();
    plain.trial_command.clear();
    for (const bool trial : {false, true}) {
        const auto begin = Clock::now();
        for (int i = 0; i < 100; ++i) {
            REQUIRE(load(directories, "good", refusal, trial ? nullptr : &plain));
        }
        std::printf("copy, check and load: %.0f us %s\n", microseconds(begin, 100), trial ? "with a trial" : "without a trial");
    }
    const auto module = load(directories, "good", refusal);
    const auto begin = Clock::now();
    for (int i = 0; i < 1'000'000; ++i) {
        if (module->handler("user.created.v1").handler == nullptr) {
            FAIL();
        }
    }
    std::printf("handler lookup: %.3f us\n", microseconds(begin, 1'000'000));
}
