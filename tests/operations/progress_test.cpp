// SPDX-License-Identifier: Apache-2.0
#include "operations/readiness.hpp"

#include <catch2/catch.hpp>

using weir::operations::Progress;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

constexpr auto kLimit = 30000ms;
const Progress::Clock::time_point kBegin{1000s};

} // namespace

TEST_CASE("a domain gets on as long as it commits, or its lag doesn't grow") {
    Progress progress;
    CHECK(progress.look("a", 5, 100, kBegin, kLimit).empty());
    for (int second = 1; second < 200; ++second) { // falls behind, and works
        CHECK(progress
                  .look("a", 5u + static_cast<unsigned>(second), 100u + static_cast<unsigned>(second),
                        kBegin + std::chrono::seconds(second), kLimit)
                  .empty());
    }
    for (int second = 200; second < 400; ++second) { // nothing more comes
        CHECK(progress.look("a", 300, 299, kBegin + std::chrono::seconds(second), kLimit).empty());
    }
}

TEST_CASE("a domain whose lag has grown for longer than it may, without a commit, is said with both figures until it commits") {
    Progress progress;
    CHECK(progress.look("a", 5, 100, kBegin, kLimit).empty());
    CHECK(progress.look("a", 5, 101, kBegin + 1s, kLimit).empty());
    CHECK(progress.look("a", 5, 200, kBegin + 30s, kLimit).empty());
    const std::string reason = progress.look("a", 5, 250, kBegin + 31s, kLimit);
    CHECK_THAT(reason, Contains("from 100 to 250 messages") && Contains("30000 ms") && Contains("http.operations.stalled_after_ms"));
    CHECK_FALSE(progress.look("a", 5, 250, kBegin + 32s, kLimit).empty()); // it stands still, with all of it undone
    CHECK(progress.look("a", 6, 300, kBegin + 33s, kLimit).empty());
    CHECK(progress.look("a", 6, 301, kBegin + 34s, kLimit).empty());
    CHECK_FALSE(progress.look("a", 6, 301, kBegin + 64s, kLimit).empty());
    CHECK(progress.look("a", 6, 300, kBegin + 65s, kLimit).empty()); // somebody else has read it
}

TEST_CASE("time counts from the look that saw the lag grow, as looks may be far apart, and domains are told from each other") {
    Progress progress;
    CHECK(progress.look("a", 5, 100, kBegin, kLimit).empty());
    CHECK(progress.look("b", 5, 100, kBegin, kLimit).empty());
    CHECK(progress.look("a", 5, 101, kBegin + 24h, kLimit).empty());
    CHECK(progress.look("b", 6, 101, kBegin + 24h, kLimit).empty());
    CHECK_FALSE(progress.look("a", 5, 101, kBegin + 24h + 30s, kLimit).empty());
    CHECK(progress.look("b", 6, 101, kBegin + 24h + 30s, kLimit).empty());
}
