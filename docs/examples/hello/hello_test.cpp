// SPDX-License-Identifier: Apache-2.0
#include <weir/testkit.hpp>

#include <iostream>

int main() try {
    weir::testkit::Host host(WEIR_PLUGIN_FILE);
    const std::string ada = "90c192cf-d3ac-44af-8f21-ddb66cad4a26";
    host.handle("user.created.v1", R"({"user_id": ")" + ada + R"(", "email": "ada@example.com"})").expect_ok();
    host.expect_row("users", {ada}, {{"email", "ada@example.com"}});
    host.handle("user.created.v1", R"({"user_id": 7})").expect_rejected("invalid_field");
    host.close();
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
