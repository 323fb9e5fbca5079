// SPDX-License-Identifier: Apache-2.0
#include "stop_deadline.hpp"

#include "command.hpp"
#include "engine/crash_marks.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace weir::cli {

namespace {

// Beyond engine.drain_timeout_ms: what handlers came to at the last moment is committed in the first part of it.
constexpr auto kLastCommits = std::chrono::seconds(2);
constexpr auto kMargin = std::chrono::seconds(5);
constexpr auto kLastWords = std::chrono::milliseconds(500);

} // namespace

StopDeadline::Times StopDeadline::times(const config::HostConfig &config, const std::vector<engine::DomainSpec> &served) {
    std::chrono::milliseconds longest(config.engine.drain_timeout_ms);
    for (const engine::DomainSpec &spec : served) { // may have another timeout by now than what was configured at the start
        longest = std::max(longest, spec.options.drain_timeout);
    }
    return {longest + kLastCommits, kMargin - kLastCommits + std::chrono::milliseconds(config.http.stop_timeout_ms)};
}

StopDeadline::StopDeadline(Times times, std::function<void()> give_up)
    : give_up_at_(Clock::now() + times.patience), end_at_(give_up_at_ + times.margin),
      thread_([this, give_up = std::move(give_up)] { loop(give_up); }) {}

StopDeadline::~StopDeadline() {
    {
        const std::lock_guard lock(mutex_);
        has_ended_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

StopDeadline::Clock::time_point StopDeadline::last_words() const noexcept { return end_at_ - kLastWords; }

bool StopDeadline::has_ended_by(Clock::time_point time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, time, [this] { return has_ended_; });
}

void StopDeadline::loop(const std::function<void()> &give_up) {
    if (has_ended_by(give_up_at_)) {
        return;
    }
    log::warn("host.stop_overdue",
              "Stopping takes longer than it may; nothing waits for the store any longer, and what is not committed is done again");
    give_up();
    if (has_ended_by(end_at_)) {
        return;
    }
    constexpr int kCode = static_cast<int>(Exit::unavailable);
    log::error("host.stop_cut_short", "Something did not end in time, and the process ends as it is; nothing is lost",
               {{"exit_code", kCode}});
    engine::CrashMarks::end_all_orderly(); // no handler that runs now is at fault
    std::_Exit(kCode);
}

} // namespace weir::cli
