// SPDX-License-Identifier: Apache-2.0
#include "reply_watch.hpp"

#include <algorithm>
#include <sys/socket.h>

namespace weir::store::postgresql {

ReplyWatch::~ReplyWatch() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

ReplyWatch::Guard::Guard(ReplyWatch &watch, int descriptor, std::chrono::milliseconds timeout) : watch_(watch) {
    const auto deadline = Clock::now() + timeout;
    bool earlier = false;
    {
        const std::lock_guard lock(watch_.mutex_);
        if (watch_.ended_all_) {
            ::shutdown(descriptor, SHUT_RDWR);
        }
        id_ = watch_.next_++;
        watch_.calls_.emplace(id_, Call{descriptor, deadline});
        if (!watch_.thread_.joinable()) {
            watch_.thread_ = std::thread([this_ = &watch_] { this_->loop(); });
        }
        earlier = deadline < watch_.wakes_at_;
    }
    if (earlier) {
        watch_.changed_.notify_one();
    }
}

ReplyWatch::Guard::~Guard() {
    const std::lock_guard lock(watch_.mutex_);
    watch_.calls_.erase(id_);
}

void ReplyWatch::end_all() noexcept {
    const std::lock_guard lock(mutex_);
    ended_all_ = true;
    for (const auto &[id, call] : calls_) {
        ::shutdown(call.descriptor, SHUT_RDWR);
    }
}

bool ReplyWatch::has_ended_all() const noexcept {
    const std::lock_guard lock(mutex_);
    return ended_all_;
}

void ReplyWatch::loop() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
        const auto now = Clock::now();
        wakes_at_ = now + std::chrono::hours(1);
        for (auto &[id, call] : calls_) {
            if (call.deadline <= now) {
                ::shutdown(call.descriptor, SHUT_RDWR); // its owner closes it, and can't while the lock is held
                call.deadline = Clock::time_point::max();
            }
            wakes_at_ = std::min(wakes_at_, call.deadline);
        }
        changed_.wait_until(lock, wakes_at_);
    }
}

} // namespace weir::store::postgresql
