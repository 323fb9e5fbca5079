// SPDX-License-Identifier: Apache-2.0
#include "operations/readiness.hpp"

#include <catch2/catch.hpp>

using weir::operations::Progress;
using weir::operations::Work;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

constexpr auto kLimit = 30000ms;
const Progress::Clock::time_point kBegin{1000s};

Work work(std::uint64_t settled, std::size_t in_hand, std::uint64_t backlog) {
    Work some;
    some.settled = settled;
    some.in_hand = in_hand;
    some.backlog = backlog;
    some.leased = {{"topic", 0}};
    return some;
}

} // namespace

TEST_CASE("a domain gets on as long as it settles something, however far behind it falls, and as long as it has nothing to do") {
    Progress progress;
    for (unsigned second = 0; second < 200; ++second) { // one event in each 25 seconds
        CHECK(progress.look("a", work(5 + second / 25, 400, 100 + second), kBegin + std::chrono::seconds(second), kLimit).empty());
    }
    for (unsigned second = 200; second < 400; ++second) { // idle, or all that there is waits for its retry
        CHECK(progress.look("a", work(12, 0, 0), kBegin + std::chrono::seconds(second), kLimit).empty());
    }
    CHECK(progress.look("a", work(12, 1, 0), kBegin + 400s, kLimit).empty()); // its time begins with the work
    CHECK(progress.look("a", work(12, 1, 0), kBegin + 429s, kLimit).empty());
    CHECK(progress.look("a", work(13, 0, 0), kBegin + 431s, kLimit).empty());
}

TEST_CASE(
    "a domain that has work and settles none of it is said, whether its lag grows, stays, falls because the topic is capped, or is none") {
    const int how = GENERATE(0, 1, 2, 3);
    Progress progress;
    const auto standing = [&](std::uint64_t turn) {
        return how == 0 ? work(5, 10, 100 + turn) : how == 1 ? work(5, 0, 100) : how == 2 ? work(5, 10, 100 - turn) : work(5, 10, 0);
    };
    CHECK(progress.look("a", work(4, 10, 100), kBegin, kLimit).empty());
    CHECK(progress.look("a", standing(0), kBegin + 1s, kLimit).empty());
    CHECK(progress.look("a", standing(1), kBegin + 30s, kLimit).empty());
    const std::string reason = progress.look("a", standing(2), kBegin + 31s, kLimit);
    CHECK_THAT(reason, Contains("it stands still: ") && Contains(std::to_string(standing(2).in_hand) + " events") &&
                           Contains(std::to_string(standing(2).backlog) + " messages") && Contains("30000 ms") &&
                           Contains("http.operations.stalled_after_ms"));
    CHECK_FALSE(progress.look("a", standing(3), kBegin + 60s, kLimit).empty());
    CHECK(progress.look("a", work(6, 9, 100), kBegin + 61s, kLimit).empty());
    CHECK(progress.look("a", work(6, 9, 100), kBegin + 90s, kLimit).empty());
    CHECK_FALSE(progress.look("a", work(6, 9, 100), kBegin + 91s, kLimit).empty());
    progress.forget("a"); // its fault was another one for a while
    CHECK(progress.look("a", work(6, 9, 100), kBegin + 92s, kLimit).empty());
}

TEST_CASE("looks may be far apart, and domains are told from each other") {
    Progress progress;
    CHECK(progress.look("a", work(5, 1, 0), kBegin, kLimit).empty());
    CHECK(progress.look("b", work(5, 1, 0), kBegin, kLimit).empty());
    CHECK_FALSE(progress.look("a", work(5, 2, 0), kBegin + 24h, kLimit).empty()); // what was seen a day ago is there still
    CHECK(progress.look("b", work(6, 2, 0), kBegin + 24h, kLimit).empty());
}

TEST_CASE("what went over to another host is not this one's to settle") {
    Progress progress;
    CHECK(progress.look("leased", work(5, 1, 10), kBegin, kLimit).empty());
    Work other = work(5, 1, 10);
    other.leased = {{"topic", 1}};
    CHECK(progress.look("leased", other, kBegin + 31s, kLimit).empty());
    CHECK_FALSE(progress.look("leased", other, kBegin + 61s, kLimit).empty());

    Work shared = work(5, 0, 10);
    shared.shared = true;
    CHECK(progress.look("shared", shared, kBegin, kLimit).empty());
    shared.backlog = 50;
    CHECK(progress.look("shared", shared, kBegin + 29s, kLimit).empty());
    shared.backlog = 40; // somebody reads
    CHECK(progress.look("shared", shared, kBegin + 31s, kLimit).empty());
    CHECK_FALSE(progress.look("shared", shared, kBegin + 61s, kLimit).empty());
    shared.in_hand = 1; // and this host has some that it doesn't settle
    shared.backlog = 30;
    CHECK_FALSE(progress.look("shared", shared, kBegin + 62s, kLimit).empty());
}
