// SPDX-License-Identifier: Apache-2.0
// Figures, not promises: run with "[.bench]".
#include "contract_support.hpp"
#include "redis_fixture.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <sys/resource.h>

using namespace weir;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {
double seconds_since(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
/// What the server has used of the processor.
double server_seconds(const test::RedisServer &server) {
    const std::string info = server.command({"INFO", "cpu"});
    double total = 0;
    for (const std::string name : {"used_cpu_sys:", "used_cpu_user:"}) {
        total += std::stod(info.substr(info.find(name) + name.size()));
    }
    return total;
}
} // namespace

TEST_CASE("figures of the Redis broker", "[.bench]") {
    const test::RedisServer server;
    const char *given = std::getenv("WEIR_TEST_MESSAGES");
    const int messages = given ? std::atoi(given) : 300000;
    const auto broker = test::open_redis(
        server, std::getenv("WEIR_TEST_PARTITIONS") ? "partitions=" + std::string(std::getenv("WEIR_TEST_PARTITIONS")) : "partitions=1");
    std::vector<broker::Outgoing> batch;
    for (int number = 0; number < 1000; ++number) {
        batch.push_back({"user-" + std::to_string(number), {}, std::string(400, 'x')});
    }
    auto begun = Clock::now();
    double cpu = cpu_seconds();
    double theirs = server_seconds(server);
    for (int sent = 0; sent < messages; sent += 1000) {
        broker->publish("t", batch);
    }
    std::printf("publish, batches of 1000, 400 bytes: %.0f/s, %.2f us of CPU each, Redis %.2f us\n", messages / seconds_since(begun),
                (cpu_seconds() - cpu) * 1e6 / messages, (server_seconds(server) - theirs) * 1e6 / messages);
    begun = Clock::now();
    for (int sent = 0; sent < 5000; ++sent) {
        broker->publish("single", std::span(batch).first(1));
    }
    std::printf("publish, one at a time: %.0f/s\n", 5000 / seconds_since(begun));
    for (const std::size_t limit : {1000u, 1000u, 100u, 1u}) {
        static int group = 0;
        const auto consumer = broker->subscribe({"g" + std::to_string(++group), "c", {"t"}, false});
        test::claim_all(*consumer);
        std::size_t got = 0;
        double acking = 0;
        begun = Clock::now();
        cpu = cpu_seconds();
        theirs = server_seconds(server);
        while (got < (limit == 1 ? 20000u : static_cast<std::size_t>(messages))) {
            const auto some = consumer->read({limit, 4u << 20}, 0ms);
            got += some.size();
            const auto before_ack = Clock::now();
            consumer->ack(some);
            acking += seconds_since(before_ack);
        }
        const double took = seconds_since(begun);
        std::printf("read and ack, batches of %zu: %.0f/s, %.2f us of CPU each, Redis %.2f us (ack %.0f us a batch)\n", limit,
                    static_cast<double>(got) / took, (cpu_seconds() - cpu) * 1e6 / static_cast<double>(got),
                    (server_seconds(server) - theirs) * 1e6 / static_cast<double>(got),
                    acking * 1e6 / (static_cast<double>(got) / static_cast<double>(limit)));
    }
    const auto idle = broker->subscribe({"idle", "c", {"t"}, false});
    test::claim_all(*idle);
    while (!idle->read({}, 0ms).empty()) {
    }
    cpu = cpu_seconds();
    for (int turn = 0; turn < 20; ++turn) {
        idle->read({}, 250ms);
    }
    std::printf("a waiting reader: %.3f %% of a CPU\n", (cpu_seconds() - cpu) / 5 * 100);
    std::fflush(stdout);
}
