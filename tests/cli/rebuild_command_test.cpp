// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace weir::test;
using Catch::Matchers::Contains;

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
