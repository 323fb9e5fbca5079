// SPDX-License-Identifier: Apache-2.0
#include "workbench.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

using namespace weir::test;
using Catch::Matchers::Contains;

TEST_CASE("the same seed generates the same events, another seed others") {
    const Workbench bench;
    const std::string once = bench.weir({"generate", "identity", "--count", "300", "--seed", "5", "--broken-percent", "10"}).out;
    CHECK(once == bench.weir({"generate", "identity", "--count", "300", "--seed", "5", "--broken-percent", "10"}).out);
    CHECK(once != bench.weir({"generate", "identity", "--count", "300", "--seed", "6", "--broken-percent", "10"}).out);
    CHECK(std::count(once.begin(), once.end(), '\n') == 300);
}

TEST_CASE("generated events pass the contracts; broken ones don't, and end as dead letters") {
    const Workbench bench;
    const std::string clean = bench.weir({"generate", "identity", "--count", "500"}).out;
    CHECK(bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-", "--dry-run"}, clean).code == 0);
    std::set<std::string> ids;
    std::set<std::string> types;
    std::istringstream lines(clean);
    for (std::string line; std::getline(lines, line);) {
        const auto event = nlohmann::json::parse(line);
        ids.insert(event["event_id"]);
        types.insert(event["event_type"]);
    }
    CHECK(ids.size() < 500); // some come twice
    CHECK(ids.size() > 450);
    CHECK(types == std::set<std::string>{"user.created.v1", "user.disabled.v1", "user.updated.v1"});

    const std::string broken = bench.weir({"generate", "identity", "--count", "200", "--broken-percent", "100"}).out;
    const auto checked = bench.weir({"publish", "-c", "--topic", "identity.user.v1", "-", "--dry-run", "--json"}, broken).json();
    CHECK(checked["refused"] == 200);
    CHECK(bench.weir({"generate", "identity", "--broken-percent", "101"}).code == 2);
}
