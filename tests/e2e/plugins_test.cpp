// SPDX-License-Identifier: Apache-2.0
#include "database.hpp"
#include "installation.hpp"
#include "sample.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>

using namespace weir::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

const std::string kTopic = "probe.thing.v1";

std::vector<Text> counted(int count, int first = 0) {
    std::vector<Text> events;
    for (int i = 0; i < count; ++i) {
        events.push_back(probe_event("thing.counted.v1", "subject " + std::to_string(i % 10), first + i));
    }
    return events;
}

std::int64_t rows(const Installation &installation) { return number(installation.database("probe"), "select count(*) from seen"); }

} // namespace

TEST_CASE("a plugin dropped into a running host's directory serves within a second, and drains and leaves when it is removed") {
    Installation installation({});
    const auto host = installation.start();
    REQUIRE(eventually([&] { return !host->said("host.ready").empty(); }));
    installation.publish(kTopic, counted(100));
    const auto place = [&](int rows_before) {
        const auto begin = Clock::now();
        installation.place("probe");
        REQUIRE(eventually([&] { return rows(installation) > rows_before; }));
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
        std::printf("rename to first row: %lld ms\n", static_cast<long long>(took.count()));
        return took;
    };
    const auto first = place(0);
    REQUIRE(eventually([&] { return rows(installation) == 100; }));

    std::filesystem::remove(installation.plugins() / "probe.so");
    REQUIRE(eventually([&] { return host->said("domain.stopped", {"probe"}); }));
    CHECK(host->said("plugin.removed", {"probe"}));
    installation.publish(kTopic, counted(50, 100));
    CHECK(installation.backlog(kTopic, "probe_group") == 50);
    CHECK(installation.pending(kTopic, "probe_group") == 0);
    const auto second = place(100);
    CHECK(std::min(first, second) < 1000ms * slowness()); // the machine may stand still in one of them
    REQUIRE(eventually([&] { return rows(installation) == 150; }));
    CHECK(number(installation.database("probe"), "select sum(times) from subjects") == 150);
    CHECK(host->running());
}

TEST_CASE("files that are no plugins are refused with their reason while the others go on") {
    Installation installation({"linting", "spellcheck"});
    const auto host = installation.start();
    write_file(installation.plugins() / "text.so", "this is not a plugin\n");
    write_file(installation.plugins() / "empty.so", "");
    const std::string whole = read_file(Installation::built("probe"));
    write_file(installation.plugins() / "truncated.so", whole.substr(0, whole.size() / 2));
    installation.publish(kIdentityTopic, sample());
    for (const char *name : {"text.so", "empty.so", "truncated.so"}) {
        INFO(name);
        REQUIRE(eventually([&] { return host->said("plugin.refused", {name}); }));
    }
    REQUIRE(eventually([&] {
        return installation.backlog(kIdentityTopic, "lint_group") == 0 && installation.pending(kIdentityTopic, "lint_group") == 0 &&
               installation.backlog(kIdentityTopic, "spell_group") <= 0;
    }));
    host->signal(SIGTERM);
    REQUIRE(host->wait());
    CHECK(host->wait()->exit_code == 0);
    installation.drain();
    check_domains(installation, expectation());
}

TEST_CASE("a replacement whose tables don't fit is refused, and the old generation goes on") {
    Installation installation({"probe"});
    const auto host = installation.start();
    installation.publish(kTopic, counted(100));
    REQUIRE(eventually([&] { return rows(installation) == 100; }));
    installation.place("probe_misfit", "probe");
    REQUIRE(eventually([&] { return host->said("plugin.refused", {"probe", "3.0.0", "times"}); }));
    installation.publish(kTopic, counted(100, 100));
    REQUIRE(eventually([&] { return rows(installation) == 200; }));
    CHECK(number(installation.database("probe"), "select sum(times) from subjects") == 200);
    CHECK(number(installation.database("probe"), "select count(*) from seen where version = '1.0.0'") == 200);
    REQUIRE(eventually([&] { return installation.ready("probe"); }));
    CHECK(installation.status().at("probe").version == "1.0.0");
    installation.place("probe_2", "probe"); // mended
    REQUIRE(eventually([&] { return host->said("plugin.swapped", {"2.0.0"}); }));
}

TEST_CASE("two event types that meet on one handler are refused, naming both") {
    Installation installation({"probe"});
    const auto host = installation.start();
    installation.publish(kTopic, counted(10));
    REQUIRE(eventually([&] { return rows(installation) == 10; }));
    installation.place("probe_two_types", "probe");
    REQUIRE(eventually([&] { return host->said("plugin.refused", {"thing.counted.v1", "thing_counted.v1"}); }));
    installation.publish(kTopic, counted(10, 10));
    REQUIRE(eventually([&] { return rows(installation) == 20; }));
}

TEST_CASE("of two plugins that claim one domain the first serves it, and the second is refused naming both") {
    Installation installation({"probe"});
    const auto host = installation.start();
    installation.publish(kTopic, counted(10));
    REQUIRE(eventually([&] { return rows(installation) == 10; }));
    installation.place("rival");
    REQUIRE(eventually([&] { return host->said("domain.unserved", {"probe and rival"}); }));
    installation.publish(kTopic, counted(10, 10));
    REQUIRE(eventually([&] { return rows(installation) == 20; }));
    CHECK_FALSE(std::filesystem::exists(installation.database("rival")));
    std::filesystem::remove(installation.plugins() / "probe.so"); // the first leaves: the second's turn
    REQUIRE(eventually([&] { return number(installation.database("rival"), "select count(*) from rivals") == 20; }));
}

TEST_CASE("a wrong new plugin beside good ones does not keep --until-drained from ending") {
    Installation installation({"probe"});
    write_file(installation.plugins() / "text.so", "this is not a plugin\n");
    installation.publish(kTopic, counted(10));
    installation.drain();
    CHECK(rows(installation) == 10);
}

TEST_CASE("install, rollback and remove change what a running host serves") {
    Installation installation({});
    const auto host = installation.start();
    REQUIRE(eventually([&] { return !host->said("host.ready").empty(); }));
    const auto plugin = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "plugin");
        arguments.insert(arguments.end(), {"-c", installation.config().string()});
        const auto command = installation.command(arguments);
        REQUIRE(command->wait());
        INFO(command->log() << command->output());
        CHECK(command->wait()->exit_code == 0);
    };
    const auto serves = [&](const std::string &version, int count) {
        installation.publish(kTopic, counted(10, count - 10));
        REQUIRE(eventually([&] { return rows(installation) == count; }));
        REQUIRE(eventually([&] { return installation.ready("probe") && installation.status().at("probe").version == version; }));
    };
    // Under the plugin's name, whatever the file is called.
    const auto first = installation.root() / "probe.so";
    std::filesystem::copy_file(Installation::built("probe"), first);
    plugin({"install", first.string()});
    serves("1.0.0", 10);
    std::filesystem::copy_file(Installation::built("probe_2"), first, std::filesystem::copy_options::overwrite_existing);
    plugin({"install", first.string()});
    REQUIRE(eventually([&] { return host->said("plugin.swapped", {"2.0.0"}); }));
    serves("2.0.0", 20);
    plugin({"rollback", "probe"});
    REQUIRE(eventually([&] { return host->said("plugin.swapped", {"1.0.0"}); }));
    serves("1.0.0", 30);
    plugin({"remove", "probe"});
    REQUIRE(eventually([&] { return host->said("domain.stopped", {"probe"}); }));
    CHECK(number(installation.database("probe"), "select sum(times) from subjects") == 30);
    write_file(installation.root() / "text.so", "not a plugin");
    const auto refused =
        installation.command({"plugin", "install", "-c", installation.config().string(), (installation.root() / "text.so").string()});
    REQUIRE(refused->wait());
    CHECK(refused->wait()->exit_code == 1);
    CHECK_FALSE(std::filesystem::exists(installation.plugins() / "text.so"));
}
