// SPDX-License-Identifier: Apache-2.0
#include <weir/testkit.hpp>

#include <iostream>

int main() try {
    weir::testkit::Host host(WEIR_PLUGIN_FILE);
    host.handle("vote.cast.v1", R"({"vote": "cats"})").expect_ok();
    host.handle("vote.cast.v1", R"({"vote": "cats"})").expect_ok();
    host.handle("vote.cast.v1", R"({"vote": 1})").expect_rejected("invalid_field");
    host.expect_row("votes", {"cats"}, {{"count", "2"}});
    host.close();
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
