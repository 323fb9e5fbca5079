// SPDX-License-Identifier: Apache-2.0
#include <weir/testkit.hpp>

#include <iostream>

// [ask]
void sign_and_read(weir::testkit::Host &host) {
    const auto answer = host.request("POST", "/guestbook", {.body = R"({"name": "Ada"})"}).expect(202);
    host.handle(answer.published.at(0).event_type, answer.published[0].payload).expect_ok();
    if (host.request("GET", "/guestbook").expect(200).body != R"(["Ada"])") {
        throw std::runtime_error("who has signed is in the book");
    }
    host.request("POST", "/guestbook", {.body = R"({"name": ""})"}).expect(422, "no_name");
}
// [/ask]

int main() try {
    weir::testkit::Host host(WEIR_PLUGIN_FILE);
    sign_and_read(host);
    host.close();
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
