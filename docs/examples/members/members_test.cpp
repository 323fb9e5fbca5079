// SPDX-License-Identifier: Apache-2.0
// [test]
#include <weir/testkit.hpp>

#include <iostream>

int main() try {
    weir::testkit::Host host(WEIR_PLUGIN_FILE, {.settings = R"({"default_plan": "basic"})"});
    const std::string tenant = weir::testkit::Given().tenant_id;
    const std::string ada = "90c192cf-d3ac-44af-8f21-ddb66cad4a26";

    host.handle("member.joined.v1", R"({"member_id": ")" + ada + R"(", "email": "ada@example.com"})").expect_ok();
    host.expect_row("members", {tenant, ada}, {{"email", "ada@example.com"}, {"plan", "basic"}});
    host.expect_row("plans", {tenant, "basic"}, {{"member_count", "1"}});

    const auto moved = host.handle("member.moved.v1", R"({"member_id": ")" + ada + R"(", "plan": "team"})").expect_ok();
    host.expect_row("plans", {tenant, "basic"}, {{"member_count", "0"}});
    host.expect_row("plans", {tenant, "team"}, {{"member_count", "1"}});
    if (moved.emitted.size() != 1 || moved.emitted[0].key != ada) {
        throw std::runtime_error("a move is told to others, in the order of the member");
    }

    host.handle("member.moved.v1", R"({"member_id": "00000000-0000-4000-8000-000000000000", "plan": "team"})")
        .expect_rejected("unknown_member");
    host.close();
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
// [/test]
