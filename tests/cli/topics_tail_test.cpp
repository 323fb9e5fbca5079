// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

using namespace weir::test;
using Catch::Matchers::Contains;

TEST_CASE("topics shows length, lag and pending of each group") {
    const Workbench bench;
    CHECK_THAT(bench.weir({"topics", "-c"}).out, Contains("no topics yet"));
    CHECK_FALSE(std::filesystem::exists(bench.path() / "data" / "broker.db")); // looking makes nothing
    bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-"}, created(1) + "\n" + created(2));
    REQUIRE(bench.weir({"run", "-c", "--until-drained", "--drain-timeout", "30"}).code == 0);
    bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-"}, created(3));
    const auto topics = bench.weir({"topics", "-c", "--json"}).json();
    REQUIRE(topics.size() == 1);
    CHECK(topics[0]["topic"] == "identity.user.v1");
    CHECK(topics[0]["length"] == 3);
    REQUIRE(topics[0]["groups"].size() == 1);
    CHECK(topics[0]["groups"][0]["lag"] == 1);
    CHECK(topics[0]["groups"][0]["pending"] == 0);
    CHECK_THAT(bench.weir({"topics", "-c"}).out, Contains("LAG") && Contains("identity.user.v1"));
}

TEST_CASE("tail shows the newest messages, of one partition or of several") {
    for (const char *parameters : {"", "?partitions=3"}) {
        Workbench bench;
        bench.environment["WEIR_BROKER_URL"] = "embedded://" + (bench / "broker.db").string() + parameters;
        for (int user = 1; user <= 15; ++user) {
            REQUIRE(bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-"}, created(user)).code == 0);
        }
        CHECK(bench.weir({"tail", "-c", "identity.user.v1", "--raw", "-n", "2"}).out == created(14) + "\n" + created(15) + "\n");
        CHECK(bench.weir({"tail", "-c", "identity.user.v1", "--raw", "-n", "0"}).out.empty());
        const std::string ten = bench.weir({"tail", "-c", "identity.user.v1"}).out;
        CHECK(std::count(ten.begin(), ten.end(), '\n') == 10);
    }
}

TEST_CASE("tail of a topic that isn't there ends with 1") {
    const Workbench bench;
    CHECK(bench.weir({"tail", "-c", "nothing"}).code == 1);
    bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-"}, created(1));
    CHECK(bench.weir({"tail", "-c", "nothing"}).code == 1);
}

TEST_CASE("tail --follow waits for the topic, goes on with what is new, and ends with 0 at SIGINT") {
    const Workbench bench;
    Child tail = bench.start({"tail", "-c", "identity.user.v1", "--follow", "--raw"});
    for (int user = 1; user <= 3; ++user) {
        bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-"}, created(user));
        REQUIRE(eventually([&] { return tail.out().find(created(user)) != std::string::npos; }));
    }
    tail.signal(SIGINT);
    const Ran ran = tail.wait();
    CHECK(ran.code == 0);
    CHECK(ran.out == created(1) + "\n" + created(2) + "\n" + created(3) + "\n");
}

TEST_CASE("what a message holds can't act on the terminal") {
    const Workbench bench;
    bench.weir({"publish", "-c", "--topic", "t", "-", "--raw"}, "\x1b[2J\x07 caf\xc3\xa9 \xc2\x9b \xff");
    const std::string line = bench.weir({"tail", "-c", "t"}).out;
    CHECK_THAT(line, Contains("\\x1b[2J\\x07 caf\xc3\xa9 \\xc2\\x9b \\xff"));
}
