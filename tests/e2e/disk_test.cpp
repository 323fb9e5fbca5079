// SPDX-License-Identifier: Apache-2.0
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

using namespace weir::test;

namespace {

/// A file system of a few megabytes, where this user may mount one.
class SmallDisk {
public:
    SmallDisk(const std::filesystem::path &at, const char *options, unsigned long flags = 0) : at_(at) {
        std::filesystem::create_directory(at_);
        mounted_ = ::mount("none", at_.c_str(), "tmpfs", flags, options) == 0;
        if (!mounted_) {
            std::printf("skipped: this user can't mount a small disk (%s)\n", std::strerror(errno));
        }
    }
    ~SmallDisk() {
        if (mounted_) {
            ::umount2(at_.c_str(), MNT_DETACH);
        }
    }
    SmallDisk(const SmallDisk &) = delete;
    SmallDisk &operator=(const SmallDisk &) = delete;
    bool mounted() const { return mounted_; }
    const std::filesystem::path &path() const { return at_; }
    bool remount(unsigned long flags) const { return ::mount("none", at_.c_str(), "tmpfs", MS_REMOUNT | flags, nullptr) == 0; }
    std::size_t free_bytes() const {
        struct statvfs status {};
        REQUIRE(::statvfs(at_.c_str(), &status) == 0);
        return static_cast<std::size_t>(status.f_bavail) * status.f_bsize;
    }

private:
    std::filesystem::path at_;
    bool mounted_ = false;
};

bool waiting_for(const Installation &installation, const std::string &text) {
    const auto domains = installation.status();
    return domains.contains("linting") && !domains.at("linting").ready && domains.at("linting").reason.find(text) != std::string::npos;
}

} // namespace

TEST_CASE("a full disk is said, loses nothing, and when there is room again the host goes on by itself") {
    Installation installation({"linting"});
    const SmallDisk disk(installation.root() / "disk", "size=12m,mode=700");
    if (!disk.mounted()) {
        return;
    }
    installation.use_store(disk.path() / "store");
    installation.set("engine.batch_max_events", "100");
    installation.publish(kIdentityTopic, {sample().begin(), sample().begin() + 100});
    const auto host = installation.start();
    REQUIRE(eventually([&] { return number(installation.database("linting"), "select count(*) from event_ledger") > 0; }));
    REQUIRE(eventually([&] { return installation.ready("linting"); }));
    constexpr std::size_t kLeft = 64 * 1024;
    {
        std::ofstream ballast(disk.path() / "ballast", std::ios::binary); // piece by piece: the host takes some meanwhile
        while (disk.free_bytes() > kLeft && ballast << std::string(4096, 'x') << std::flush) {
        }
    }
    installation.publish(kIdentityTopic, {sample().begin() + 100, sample().end()});
    REQUIRE(eventually([&] { return waiting_for(installation, "linting.db"); }));
    std::printf("full disk: %s\n", installation.status().at("linting").reason.c_str());
    CHECK(host->running());
    CHECK(installation.backlog(kIdentityTopic, "lint_group") + installation.pending(kIdentityTopic, "lint_group") > 0);
    std::filesystem::remove(disk.path() / "ballast");
    REQUIRE(eventually([&] {
        return installation.ready("linting") && installation.backlog(kIdentityTopic, "lint_group") == 0 &&
               installation.pending(kIdentityTopic, "lint_group") == 0;
    }));
    host->signal(15);
    REQUIRE(host->wait());
    CHECK(host->wait()->exit_code == 0);
    check_database(installation.database("linting"), expectation(), "user_prefs");
}

TEST_CASE("a disk that is full for broker, store and state alike kills no host, and loses nothing") {
    Installation installation({"linting"});
    const SmallDisk disk(installation.root() / "disk", "size=24m,mode=700");
    if (!disk.mounted()) {
        return;
    }
    installation.use_data(disk.path());
    installation.set("engine.batch_max_events", "100");
    installation.publish(kIdentityTopic, sample());
    const auto host = installation.start();
    const auto events = [&] { return number(installation.database("linting"), "select count(*) from event_ledger"); };
    REQUIRE(eventually([&] { return events() > 0; }));
    {
        std::ofstream ballast(disk.path() / "ballast", std::ios::binary); // to the last byte, whoever else takes some meanwhile
        while (ballast << std::string(4096, 'x') << std::flush) {
        }
    }
    REQUIRE(eventually([&] { return !host->running() || host->said("domain.not_ready").size() > 0; }));
    REQUIRE_FALSE(host->wait(std::chrono::milliseconds(1500)));
    std::printf("everything full: %s\n", host->said("domain.not_ready").back().c_str());
    const auto other = installation.start({}, "-late"); // nor does it kill one that starts meanwhile
    other->wait(std::chrono::milliseconds(1000));
    CHECK((other->running() || other->wait()->signal == 0));
    other->kill();
    std::filesystem::remove(disk.path() / "ballast");
    REQUIRE(eventually([&] {
        return installation.backlog(kIdentityTopic, "lint_group") == 0 && installation.pending(kIdentityTopic, "lint_group") == 0;
    }));
    host->signal(15);
    REQUIRE(host->wait());
    CHECK(host->wait()->exit_code == 0);
    check_database(installation.database("linting"), expectation(), "user_prefs");
}

TEST_CASE("a store directory that can't be written is said with its path, and taken up when it can") {
    Installation installation({"linting"});
    const SmallDisk disk(installation.root() / "disk", "size=64m,mode=700");
    if (!disk.mounted()) {
        return;
    }
    REQUIRE(disk.remount(MS_RDONLY));
    installation.use_store(disk.path() / "store");
    installation.publish(kIdentityTopic, sample());
    const auto host = installation.start();
    if (host->wait(std::chrono::milliseconds(2000))) { // it may refuse to start, with the code that says "try again"
        CHECK(host->wait()->exit_code == 5);
        CHECK(host->log().find(disk.path().string()) != std::string::npos);
        std::printf("read-only: exit 5: %s", host->log().c_str());
        REQUIRE(disk.remount(0));
        installation.drain();
    } else {
        REQUIRE(eventually([&] { return waiting_for(installation, disk.path().string()); }));
        std::printf("read-only: %s\n", installation.status().at("linting").reason.c_str());
        REQUIRE(disk.remount(0));
        REQUIRE(eventually([&] {
            return installation.ready("linting") && installation.backlog(kIdentityTopic, "lint_group") == 0 &&
                   installation.pending(kIdentityTopic, "lint_group") == 0;
        }));
        host->signal(15);
        REQUIRE(host->wait());
    }
    check_database(installation.database("linting"), expectation(), "user_prefs");
}
