// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace weir::test;
using Catch::Matchers::Contains;

TEST_CASE("what a rebuild's dry run says would be decided is what the rebuild says it decided, whatever messages there are besides") {
    const Workbench bench;
    const auto publish = [&](const std::string &lines) {
        REQUIRE(bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-", "--raw"}, lines).code == 0);
    };
    publish(created(1) + "\n" + created(1) + "\n" + created(2) + "\n" + created(2) + "\n" + created(1) + "\n{cut\n{dropped\n");
    REQUIRE(bench.weir({"run", "-c", "--until-drained"}).code == 0);
    REQUIRE(bench.weir({"deadletter", "drop", "-c", "-d", "linting", "2"}).code == 0);
    publish(created(3) + "\n");
    const auto dry = bench.weir({"rebuild", "linting", "-c", "--dry-run", "--json"}).json();
    CHECK(dry["messages"] == 8);
    CHECK(dry["to_decide"] == 3);
    CHECK(dry["duplicates"] == 3);
    CHECK(dry["dropped"] == 1);
    CHECK(dry["undecided"] == 1);
    CHECK(dry["decided"] == 3); // what was dropped counts no longer
    CHECK_THAT(
        bench.weir({"rebuild", "linting", "-c", "--dry-run"}).out,
        Contains("Of 8 messages, 3 are events that would be decided again, 3 are duplicates of these, 1 was dropped by an operator and "
                 "stays so, 1 has not been decided yet and is left to the domain."));
    const Ran ran = bench.weir({"rebuild", "linting", "-c", "--json"});
    REQUIRE(ran.code == 0);
    CHECK(ran.json()["decided"] == dry["to_decide"]);
}

TEST_CASE("a rebuild shows a terminal a bar of how far it is, and tells anything else in lines of the log") {
    const Workbench bench;
    std::string lines;
    for (int user = 1; user <= 2000; ++user) {
        lines += created(user) + "\n";
    }
    REQUIRE(bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-"}, lines).code == 0);
    REQUIRE(bench.weir({"run", "-c", "--until-drained"}).code == 0);
    const std::string command = Workbench::program().string() + " rebuild linting -c " + bench.config().string();
    const Ran on_terminal = bench.run({"script", "-qec", command, "/dev/null"});
    INFO(on_terminal.out);
    CHECK(on_terminal.code == 0);
    CHECK_THAT(on_terminal.out, Contains("\rlinting [") && Contains("linting [#") && Contains("\r\x1b[K") &&
                                    Contains("linting was made again from 2,000 events") && !Contains("rebuild.progress"));
    const Ran elsewhere = bench.run({"sh", "-c", command + " 2>&1"});
    INFO(elsewhere.out);
    CHECK(elsewhere.code == 0);
    CHECK_THAT(elsewhere.out, !Contains("linting [") && Contains("rebuild.progress") && Contains("messages_kept"));
}
