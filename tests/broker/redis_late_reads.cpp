// SPDX-License-Identifier: Apache-2.0
// Reads of a host that has no lease any more, which wait at the server and are served beside those of the host that has it.
#include "contract_support.hpp"
#include "redis_fixture.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <future>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace weir::test;
using namespace weir::broker;
using namespace std::chrono_literals;

namespace {

/// Sends text to the server in one piece, and leaves the answers alone.
class RawClient {
public:
    explicit RawClient(const RedisServer &server) : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = server.socket().string();
        if (path.size() >= sizeof address.sun_path) {
            throw std::runtime_error("the path of the socket is too long");
        }
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        if (::connect(descriptor_, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0) {
            throw std::runtime_error("the server can't be reached");
        }
    }
    ~RawClient() { ::close(descriptor_); }
    RawClient(const RawClient &) = delete;
    RawClient &operator=(const RawClient &) = delete;
    void send(const std::string &text) const {
        REQUIRE(::write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }

private:
    int descriptor_;
};

bool are_waiting(const RedisServer &server, int clients) {
    return server.command({"INFO", "clients"}).find("blocked_clients:" + std::to_string(clients)) != std::string::npos;
}

std::string add(const std::string &mark) { return "XADD t * event " + mark + "\r\n"; }

} // namespace

TEST_CASE("an entry that is given to a reader is not passed over when the next one goes to somebody who is late") {
    RedisServer server;
    const auto broker = open_redis(server);
    server.command({"XADD", "t", "*", "event", "0"});
    const auto consumer = broker->subscribe({"g", "owner", {"t"}});
    consumer->claim({"t", 0}, std::nullopt);
    std::string marks;
    const auto read = [&](std::chrono::milliseconds wait) {
        for (const auto &message : consumer->read({}, wait)) {
            marks += message->body;
        }
        return marks;
    };
    REQUIRE(eventually([&] { return read(100ms) == "0"; }));
    for (int round = 0; round < 5; ++round) {
        auto reading = std::async(std::launch::async, [&] { read(20s); });
        REQUIRE(eventually([&] { return are_waiting(server, 1); }));
        const RawClient late(server);
        late.send("XREADGROUP GROUP g late~0.1 BLOCK 60000 STREAMS t >\r\n"); // waits behind the one that has the lease
        const bool both = eventually([&] { return are_waiting(server, 2); });
        const RawClient publisher(server);
        publisher.send(add("a") + add("b") + add("c")); // one each, and one for whoever comes next
        reading.get();
        REQUIRE(both);
        const std::size_t wanted = 1 + 3 * static_cast<std::size_t>(round + 1);
        eventually([&] { return read(50ms).size() >= wanted; }, 5s);
        INFO(marks);
        REQUIRE(marks.size() == wanted);
        REQUIRE(marks.substr(wanted - 3) == "abc");
    }
}
