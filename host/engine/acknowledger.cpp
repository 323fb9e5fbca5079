// SPDX-License-Identifier: Apache-2.0
#include "engine/acknowledger.hpp"

#include "engine/kill_point.hpp"
#include "engine/thread_name.hpp"

#include <utility>

namespace weir::engine {

namespace {
constexpr std::size_t kMostWaiting = 2; // batches: their memory is held until then
} // namespace

Acknowledger::Acknowledger(broker::Consumer &consumer, const std::string &domain)
    : consumer_(consumer), domain_(domain), thread_([this] { loop(); }) {}

Acknowledger::~Acknowledger() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
        changed_.notify_all();
    }
    thread_.join();
}

void Acknowledger::loop() {
    name_thread("ack", domain_);
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
        if (queue_.empty()) {
            return;
        }
        Batch batch = std::move(queue_.front());
        queue_.pop_front();
        working_ = true;
        lock.unlock();
        std::exception_ptr failure;
        try {
            if (!batch.messages.empty()) {
                pass(KillPoint::ack);
                consumer_.ack(batch.messages);
                pass(KillPoint::acked);
            }
        } catch (...) {
            failure = std::current_exception();
        }
        batch = {};
        lock.lock();
        working_ = false;
        if (failure && !failure_) {
            failure_ = failure;
        }
        changed_.notify_all();
    }
}

void Acknowledger::rethrow() {
    if (const std::exception_ptr failure = std::exchange(failure_, nullptr)) {
        std::rethrow_exception(failure);
    }
}

void Acknowledger::push(Batch batch) {
    std::unique_lock lock(mutex_);
    rethrow();
    changed_.wait(lock, [this] { return queue_.size() < kMostWaiting; });
    queue_.push_back(std::move(batch));
    changed_.notify_all();
}

void Acknowledger::flush() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return queue_.empty() && !working_; });
    rethrow();
}

} // namespace weir::engine
