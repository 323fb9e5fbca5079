// SPDX-License-Identifier: Apache-2.0
#include "engine/retirement.hpp"

#include "engine/thread_name.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace weir::engine {

struct Retirement::State {
    std::mutex mutex;
    std::condition_variable came;
    std::condition_variable gone;
    std::deque<std::function<void()>> waiting;
    std::size_t out = 0; // handed out and not taken apart
    bool closed = false;
    std::thread thread; // from the first thing on

    void work_off() {
        name_thread("retire", "");
        std::unique_lock lock(mutex);
        for (;;) {
            came.wait(lock, [this] { return closed || !waiting.empty(); });
            if (waiting.empty()) {
                return;
            }
            {
                const std::function<void()> take_apart = std::move(waiting.front());
                waiting.pop_front();
                lock.unlock();
                take_apart();
            }
            lock.lock();
            --out;
            gone.notify_all();
        }
    }
};

Retirement::Retirement() : state_(std::make_shared<State>()) {}

Retirement::~Retirement() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->closed = true;
    }
    state_->came.notify_all();
    if (state_->thread.joinable()) {
        state_->thread.join();
    }
}

void Retirement::note() const {
    const std::lock_guard lock(state_->mutex);
    if (!state_->thread.joinable() && !state_->closed) {
        state_->thread = std::thread([state = state_.get()] { state->work_off(); });
    }
    ++state_->out;
}

void Retirement::take_back(const std::shared_ptr<State> &state, std::function<void()> take_apart) noexcept {
    {
        const std::lock_guard lock(state->mutex);
        if (!state->closed) {
            state->waiting.push_back(std::move(take_apart));
            state->came.notify_one();
            return;
        }
    }
    take_apart();
}

bool Retirement::wait_until(std::chrono::steady_clock::time_point deadline) const {
    std::unique_lock lock(state_->mutex);
    return state_->gone.wait_until(lock, deadline, [this] { return state_->out == 0; });
}

} // namespace weir::engine
