// SPDX-License-Identifier: Apache-2.0
// Figures, not promises: run with "[.bench]".
#include "contract_support.hpp"
#include "embedded_fixture.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
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
} // namespace

TEST_CASE("figures of the embedded broker", "[.bench]") {
    const test::TemporaryDirectory directory;
    const auto broker = broker::open_embedded_broker(test::embedded_options(directory));
    constexpr int kMessages = 300000;
    const std::vector<broker::Outgoing> batch(1000, broker::Outgoing{"user-1", {}, std::string(400, 'x')});
    auto begun = Clock::now();
    for (int sent = 0; sent < kMessages; sent += 1000) {
        broker->publish("t", batch);
    }
    std::printf("publish, batches of 1000, 400 bytes, synchronous=full: %.0f/s\n", kMessages / seconds_since(begun));
    begun = Clock::now();
    for (int sent = 0; sent < 2000; ++sent) {
        broker->publish("single", std::span(batch).first(1));
    }
    std::printf("publish, one at a time, synchronous=full: %.0f/s\n", 2000 / seconds_since(begun));
    for (const std::size_t limit : {1000u, 100u, 1u}) {
        const auto consumer = broker->subscribe({"g" + std::to_string(limit), "c", {"t"}, false});
        test::claim_all(*consumer);
        std::size_t got = 0;
        double acking = 0;
        begun = Clock::now();
        while (got < (limit == 1 ? 20000u : static_cast<std::size_t>(kMessages))) {
            const auto some = consumer->read({limit, 4u << 20}, 0ms);
            got += some.size();
            const auto before_ack = Clock::now();
            consumer->ack(some);
            acking += seconds_since(before_ack);
        }
        const double took = seconds_since(begun);
        std::printf("read and ack, batches of %zu: %.0f/s (ack %.0f us a batch)\n", limit, static_cast<double>(got) / took,
                    acking * 1e6 / (static_cast<double>(got) / static_cast<double>(limit)));
    }
    const auto idle = broker->subscribe({"idle", "c", {"nothing"}, true});
    const double before = cpu_seconds();
    idle->read({}, 5s);
    std::printf("a waiting reader: %.3f %% of a CPU\n", (cpu_seconds() - before) / 5 * 100);
    std::fflush(stdout);
}
