// SPDX-License-Identifier: Apache-2.0
#include "http/worker_pool.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <pthread.h>
#include <system_error>
#include <thread>
#include <utility>

namespace weir::http {

namespace {
constexpr unsigned kReliefFactor = 3;
}

struct WorkerPool::Core {
    struct Job {
        std::function<void()> run;
        Clock::time_point deadline;
    };
    struct Running {
        Clock::time_point deadline;
        bool relieved = false;
    };

    std::mutex mutex;
    std::condition_variable work;
    std::condition_variable gone;
    std::deque<Job> queue;
    std::list<Running> running;
    std::size_t max_queue = 0;
    unsigned workers = 0;
    unsigned threads = 0; ///< that exist; more than `workers` where some are overdue
    unsigned idle = 0;
    bool stopping = false;

    static void serve(const std::shared_ptr<Core> &core);
    static bool start_thread(const std::shared_ptr<Core> &core);
};

void WorkerPool::Core::serve(const std::shared_ptr<Core> &core) {
    pthread_setname_np(pthread_self(), "weir-http-work");
    std::unique_lock lock(core->mutex);
    while (!core->stopping) {
        const auto overdue = static_cast<unsigned>(
            std::count_if(core->running.begin(), core->running.end(), [](const Running &job) { return job.relieved; }));
        if (core->threads > core->workers + overdue) {
            break; // its place was taken while it was overdue
        }
        if (core->queue.empty()) {
            ++core->idle;
            core->work.wait(lock);
            --core->idle;
            continue;
        }
        Job job = std::move(core->queue.front());
        core->queue.pop_front();
        const auto place = core->running.insert(core->running.end(), {job.deadline, false});
        lock.unlock();
        job.run();         // also past its deadline: it knows what to answer then
        job.run = nullptr; // what it captured goes before it counts as done
        lock.lock();
        core->running.erase(place);
    }
    --core->threads;
    core->gone.notify_all();
}

// With the mutex held.
bool WorkerPool::Core::start_thread(const std::shared_ptr<Core> &core) {
    try {
        std::thread([core] { serve(core); }).detach();
        ++core->threads;
        return true;
    } catch (const std::system_error &) {
        return false; // no more threads are to be had; those that are there go on
    }
}

WorkerPool::WorkerPool(unsigned workers, std::size_t max_queue) : core_(std::make_shared<Core>()) {
    core_->workers = std::max(workers, 1u);
    core_->max_queue = max_queue;
}

WorkerPool::~WorkerPool() { stop(Clock::time_point::min()); }

bool WorkerPool::submit(std::function<void()> run, Clock::time_point deadline) {
    const std::lock_guard lock(core_->mutex);
    if (core_->stopping || core_->queue.size() >= core_->max_queue) {
        return false;
    }
    if (core_->idle <= core_->queue.size() && core_->threads < core_->workers) {
        Core::start_thread(core_);
    }
    core_->queue.push_back({std::move(run), deadline});
    core_->work.notify_one();
    return true;
}

void WorkerPool::relieve(Clock::time_point now) {
    const std::lock_guard lock(core_->mutex);
    for (Core::Running &job : core_->running) {
        if (!job.relieved && now > job.deadline && core_->threads < core_->workers * kReliefFactor) {
            job.relieved = Core::start_thread(core_);
        }
    }
}

void WorkerPool::limit_queue(std::size_t max_queue) {
    const std::lock_guard lock(core_->mutex);
    core_->max_queue = max_queue;
}

bool WorkerPool::stop(Clock::time_point deadline) {
    std::deque<Core::Job> dropped;
    std::unique_lock lock(core_->mutex);
    core_->stopping = true;
    dropped.swap(core_->queue);
    core_->work.notify_all();
    if (deadline == Clock::time_point::min()) {
        return core_->threads == 0;
    }
    return core_->gone.wait_until(lock, deadline, [this] { return core_->threads == 0; });
}

std::size_t WorkerPool::queued() const {
    const std::lock_guard lock(core_->mutex);
    return core_->queue.size();
}

std::size_t WorkerPool::running() const {
    const std::lock_guard lock(core_->mutex);
    return core_->running.size();
}

} // namespace weir::http
