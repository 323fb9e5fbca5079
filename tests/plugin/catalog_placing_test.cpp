// SPDX-License-Identifier: Apache-2.0
//
// Each way in which a file comes into the directory, with inotify and by polling alone.
#include "fixture_files.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weir;
namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

struct Watched {
    explicit Watched(bool inotify) {
        options.directory = directories.plugins;
        options.private_directory = directories.copies;
        options.use_inotify = inotify;
        // Where inotify is under test, the net below it is taken away.
        options.poll_interval = inotify ? std::chrono::seconds(60) : milliseconds(200);
        options.trial_command = test::trial_command();
        options.trial_deadline = std::chrono::seconds(20);
    }
    void start() {
        catalog = std::make_unique<plugin::Catalog>(options, told.listener());
        catalog->start();
    }
    test::Directories directories;
    test::Told told;
    plugin::CatalogOptions options;
    std::unique_ptr<plugin::Catalog> catalog;
};

const std::string kFirst = "loaded good 1.0.0 generation 1";
const std::string kSecond = "loaded good 2.0.0 generation 2";

} // namespace

TEST_CASE("a new file serves within a second") {
    for (const bool inotify : {true, false}) {
        Watched watched(inotify);
        watched.start();
        const auto begin = Clock::now();
        test::place("good", watched.directories.plugins / "good.so");
        REQUIRE(watched.told.hears(kFirst));
        const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - begin).count();
        std::printf("a new file serves after %lld ms %s\n", static_cast<long long>(took), inotify ? "with inotify" : "by polling");
        // The promise is a second; a test that shares its machine with a build gets more.
        CHECK(took < 5000);
    }
}

TEST_CASE("a file that is renamed over the old one is the next generation") {
    for (const bool inotify : {true, false}) {
        Watched watched(inotify);
        const fs::path file = watched.directories.plugins / "good.so";
        test::place("good", file);
        watched.start();
        REQUIRE(watched.told.hears(kFirst));
        test::place("good_2", watched.directories.root / "new.so");
        fs::rename(watched.directories.root / "new.so", file);
        CHECK(watched.told.hears(kSecond));
    }
}

TEST_CASE("a file that is overwritten in place is the next generation, while the old one goes on") {
    for (const bool inotify : {true, false}) {
        Watched watched(inotify);
        const fs::path file = watched.directories.plugins / "good.so";
        test::place("good", file);
        watched.start();
        REQUIRE(watched.told.hears(kFirst));
        const auto old = watched.told.last();
        test::write_bytes(file, test::fixture_bytes("good_2"));
        REQUIRE(watched.told.hears(kSecond));
        CHECK(old->handler("user.created.v1").handler(nullptr, nullptr, nullptr) == WEIR_OK);
        CHECK(watched.told.last()->handler("user.created.v1").handler(nullptr, nullptr, nullptr) == WEIR_SKIP);
    }
}

TEST_CASE("a file that is deleted and written anew, as install does it, is the next generation and never gone") {
    for (const bool inotify : {true, false}) {
        Watched watched(inotify);
        const fs::path file = watched.directories.plugins / "good.so";
        test::place("good", file);
        watched.start();
        REQUIRE(watched.told.hears(kFirst));
        fs::remove(file);
        test::place("good_2", file);
        REQUIRE(watched.told.hears(kSecond));
        CHECK(watched.told.count("removed good") == 0);
    }
}

TEST_CASE("a slow writer is waited for, and half a file is never taken nor refused") {
    for (const bool inotify : {true, false}) {
        Watched watched(inotify);
        watched.start();
        const auto bytes = test::fixture_bytes("good");
        const fs::path file = watched.directories.plugins / "good.so";
        const int writer = open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        REQUIRE(writer >= 0);
        constexpr std::size_t pieces = 4;
        for (std::size_t piece = 0; piece < pieces; ++piece) {
            const std::size_t from = bytes.size() * piece / pieces;
            const std::size_t to = bytes.size() * (piece + 1) / pieces;
            REQUIRE(pwrite(writer, bytes.data() + from, to - from, static_cast<off_t>(from)) == static_cast<ssize_t>(to - from));
            // Another plugin that comes and is served shows that the catalog has looked at the directory meanwhile.
            const std::string witness = "witness" + std::to_string(piece) + ".so";
            test::place(piece % 2 == 0 ? "no_entry" : "newer_abi", watched.directories.plugins / witness);
            REQUIRE(watched.told.hears("refused " + witness + (piece % 2 == 0 ? " no_entry" : " newer_abi")));
            CHECK(watched.told.count(kFirst) == 0);
        }
        close(writer);
        CHECK(watched.told.hears(kFirst));
        for (const std::string &line : watched.told.lines()) {
            CHECK(line.find("refused good.so") == std::string::npos);
        }
    }
}

TEST_CASE("a file that is cut off for good is refused after a while") {
    Watched watched(true);
    watched.start();
    auto bytes = test::fixture_bytes("good");
    bytes.resize(bytes.size() - 100);
    const auto begin = Clock::now();
    test::write_bytes(watched.directories.plugins / "good.so", bytes);
    CHECK(watched.told.hears("refused good.so truncated"));
    CHECK(Clock::now() - begin >= milliseconds(900));
}

TEST_CASE("links are followed when they are swapped, as volumes of containers do it") {
    for (const bool inotify : {true, false}) {
        Watched watched(inotify);
        const fs::path &plugins = watched.directories.plugins;
        fs::create_directory(plugins / "..1");
        chmod((plugins / "..1").c_str(), 0755);
        test::place("good", plugins / "..1" / "good.so");
        fs::create_symlink("..1", plugins / "..data");
        fs::create_symlink("..data/good.so", plugins / "good.so");
        watched.start();
        REQUIRE(watched.told.hears(kFirst));
        fs::create_directory(plugins / "..2");
        chmod((plugins / "..2").c_str(), 0755);
        test::place("good_2", plugins / "..2" / "good.so");
        fs::create_symlink("..2", plugins / "..data_tmp");
        fs::rename(plugins / "..data_tmp", plugins / "..data");
        fs::remove_all(plugins / "..1");
        CHECK(watched.told.hears(kSecond));
        CHECK(watched.told.count("removed good") == 0);
    }
}

TEST_CASE("a link to a file elsewhere is followed when that file changes") {
    Watched watched(true);
    watched.options.poll_interval = milliseconds(100); // inotify is silent about it
    fs::create_directory(watched.directories.root / "elsewhere");
    chmod((watched.directories.root / "elsewhere").c_str(), 0755);
    const fs::path real = watched.directories.root / "elsewhere" / "real.so";
    test::place("good", real);
    fs::create_symlink(real, watched.directories.plugins / "good.so");
    watched.start();
    REQUIRE(watched.told.hears(kFirst));
    test::place("good_2", real);
    CHECK(watched.told.hears(kSecond));
}

TEST_CASE("a file that is deleted is removed, and a link that leads nowhere too") {
    for (const bool inotify : {true, false}) {
        Watched watched(inotify);
        test::place("good", watched.directories.plugins / "good.so");
        test::place("misbehaving", watched.directories.root / "real.so");
        fs::create_symlink(watched.directories.root / "real.so", watched.directories.plugins / "link.so");
        chmod(watched.directories.root.path().c_str(), 0755);
        watched.options.poll_interval = milliseconds(100); // what a link leads to is outside of the directory
        watched.start();
        REQUIRE(watched.told.hears(kFirst));
        fs::remove(watched.directories.plugins / "good.so");
        CHECK(watched.told.hears("removed good"));
        fs::remove(watched.directories.root / "real.so");
        CHECK(watched.told.hears("removed misbehaving"));
    }
}

TEST_CASE("a directory that is missing at the start, deleted and made anew, or replaced is followed") {
    for (const bool inotify : {true, false}) {
        Watched watched(inotify);
        const fs::path &plugins = watched.directories.plugins;
        watched.options.poll_interval = milliseconds(100); // a directory that is not there can't be watched
        fs::remove(plugins);
        watched.start();
        const auto make = [&](const std::string &name) {
            fs::create_directory(watched.directories.root / "made");
            chmod((watched.directories.root / "made").c_str(), 0755);
            test::place(name, watched.directories.root / "made" / "good.so");
        };
        make("good");
        fs::rename(watched.directories.root / "made", plugins);
        REQUIRE(watched.told.hears(kFirst));
        make("good_2");
        fs::rename(plugins, watched.directories.root / "old");
        fs::rename(watched.directories.root / "made", plugins);
        REQUIRE(watched.told.hears(kSecond));
        CHECK(watched.told.count("removed good") == 0);
        fs::remove_all(plugins);
        REQUIRE(watched.told.hears("removed good"));
        make("good");
        fs::rename(watched.directories.root / "made", plugins);
        CHECK(watched.told.hears("loaded good 1.0.0 generation 3"));
    }
}

TEST_CASE("a plugin that is replaced twenty times serves each generation") {
    Watched watched(true);
    const fs::path file = watched.directories.plugins / "good.so";
    test::place("good", file);
    watched.start();
    for (int generation = 2; generation <= 21; ++generation) {
        const bool even = generation % 2 == 0;
        test::place(even ? "good_2" : "good", watched.directories.root / "new.so");
        fs::rename(watched.directories.root / "new.so", file);
        REQUIRE(watched.told.hears(std::string("loaded good ") + (even ? "2" : "1") + ".0.0 generation " + std::to_string(generation)));
    }
}
