// SPDX-License-Identifier: Apache-2.0
#include "serving.hpp"

#include "left_out.hpp"
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace weir::http;
using namespace weir::http::test;
using weir::test::eventually;

namespace {

/// Opens connections in a process of its own, as the limit of descriptors is one process's; sends on every second one the beginning of a
/// request, says 'r', and keeps them until it is told to go. Only system calls: it is forked beside threads.
[[noreturn]] void be_the_crowd(std::uint16_t port, int count, int say, int listen) {
    constexpr std::string_view kHalf = "GET /hello/a HTTP/1.1\r\nHost: ";
    for (int made = 0; made < count; ++made) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int one = socket(AF_INET, SOCK_STREAM, 0);
        if (one < 0 || connect(one, reinterpret_cast<const sockaddr *>(&to), sizeof to) != 0) {
            _exit(1);
        }
        if (made % 2 == 1 && send(one, kHalf.data(), kHalf.size(), MSG_NOSIGNAL) < 0) {
            _exit(2);
        }
    }
    char byte = 'r';
    if (write(say, &byte, 1) != 1 || read(listen, &byte, 1) < 0) {
        _exit(3);
    }
    _exit(0);
}

} // namespace

TEST_CASE("Ten thousand connections that are opened and left, half of them in the middle of a request, keep nobody from being served") {
    constexpr int kCrowd = 10000;
    rlimit limit{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < kCrowd + 200 || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        weir::test::left_out("ten thousand HTTP connections: a process may open " + std::to_string(limit.rlim_max) +
                             " files here (ulimit -Hn), the test needs " + std::to_string(kCrowd + 200));
        return;
    }
    ServerOptions how = options();
    Serving serving(some_routes(), how);
    std::array<int, 2> said{};
    std::array<int, 2> told{};
    REQUIRE(pipe(said.data()) == 0);
    REQUIRE(pipe(told.data()) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        close(told[1]);
        be_the_crowd(serving.port, kCrowd, said[1], told[0]);
    }
    close(said[1]);
    close(told[0]);
    char byte = 0;
    CHECK(read(said[0], &byte, 1) == 1);
    CHECK(eventually([&] { return serving.server.statistics().connections == kCrowd; }, std::chrono::seconds(60)));
    for (int count = 0; count < 100; ++count) {
        CHECK(http(serving.port, "GET", "/hello/you").body == "\"you\"");
    }
    // With less time for a header the half requests are ended, and the idle ones stay.
    how.limits.header_timeout_ms = 10;
    serving.server.reconfigure(how.limits, how.listeners);
    RawClient slow(serving.port);
    slow.send("GET /");
    CHECK(slow.answer().status == 408);
    close(told[1]);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    close(said[0]);
    CHECK(eventually([&] { return serving.server.statistics().connections <= 1; }, std::chrono::seconds(60)));
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);
}
