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
#include <vector>

namespace weir::http {

namespace {
constexpr unsigned kReliefFactor = 3;
}

struct WorkerPool::Core {
    struct Running {
        Clock::time_point deadline;
        std::shared_ptr<HandlerWatch> watch;
        std::shared_ptr<const Route> route;
        bool told = false; ///< to the watch, as left behind
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

    // All with the mutex held.
    unsigned relieved() const {
        return static_cast<unsigned>(std::count_if(running.begin(), running.end(), [](const Running &job) { return job.relieved; }));
    }
    bool may_run(const Job &job, Clock::time_point now) const;
    std::deque<Job>::iterator next();
    static bool start_thread(const std::shared_ptr<Core> &core);

    static void serve(const std::shared_ptr<Core> &core);
};

// A group that has handlers which don't return may well have more of them: it doesn't get all threads at once. What only has to be answered
// with a refusal takes no time.
bool WorkerPool::Core::may_run(const Job &job, Clock::time_point now) const {
    if (!job.watch || now >= job.deadline) {
        return true;
    }
    const auto of_group = [&job](const Running &one) { return one.watch && one.watch->group() == job.watch->group(); };
    const auto left = std::count_if(running.begin(), running.end(), [&](const Running &one) { return one.told && of_group(one); });
    const auto others = std::count_if(running.begin(), running.end(), [&](const Running &one) { return !one.told && of_group(one); });
    return left == 0 || others < std::max<std::ptrdiff_t>(workers / 2, 1) || job.watch->full();
}

std::deque<WorkerPool::Job>::iterator WorkerPool::Core::next() {
    const auto now = Clock::now();
    return std::find_if(queue.begin(), queue.end(), [&](const Job &job) { return may_run(job, now); });
}

void WorkerPool::Core::serve(const std::shared_ptr<Core> &core) {
    pthread_setname_np(pthread_self(), "weir-http-work");
    std::unique_lock lock(core->mutex);
    while (!core->stopping) {
        if (core->threads > core->workers + core->relieved()) {
            break; // its place was taken while it was overdue
        }
        const auto found = core->next();
        if (found == core->queue.end()) {
            ++core->idle;
            core->work.wait(lock);
            --core->idle;
            continue;
        }
        Job job = std::move(*found);
        core->queue.erase(found);
        const auto place =
            core->running.insert(core->running.end(), {std::max(job.deadline, Clock::now() + job.time), job.watch, job.route});
        lock.unlock();
        job.run();         // also past its deadline: it knows what to answer then
        job.run = nullptr; // what it captured goes before it counts as done
        lock.lock();
        const bool was_told = place->told;
        place->route.reset();
        core->running.erase(place);
        core->gone.notify_all();
        lock.unlock();
        if (was_told) {
            job.watch->returned(*job.route);
        }
        job = {};
        lock.lock();
    }
    --core->threads;
    core->gone.notify_all();
}

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

bool WorkerPool::submit(Job job) {
    const std::lock_guard lock(core_->mutex);
    if (core_->stopping || core_->queue.size() >= core_->max_queue) {
        return false;
    }
    if (core_->idle <= core_->queue.size() && core_->threads < core_->workers + core_->relieved()) {
        Core::start_thread(core_);
    }
    core_->queue.push_back(std::move(job));
    core_->work.notify_one();
    return true;
}

bool WorkerPool::relieve(Clock::time_point now) {
    std::vector<std::pair<std::shared_ptr<HandlerWatch>, std::shared_ptr<const Route>>> left; // told without the mutex: a log may be slow
    bool again = false;
    {
        const std::lock_guard lock(core_->mutex);
        for (Core::Running &job : core_->running) {
            if (now < job.deadline) {
                again = true;
                continue;
            }
            if (job.watch && !job.told) {
                job.told = true;
                left.emplace_back(job.watch, job.route);
            }
            if (!job.relieved && (job.watch || core_->threads < core_->workers * kReliefFactor)) {
                job.relieved = Core::start_thread(core_);
            }
            again = again || !job.relieved;
        }
        if (!core_->queue.empty()) { // what had to wait for others of its group may run, or its time is over
            core_->work.notify_all();
            again = true;
        }
    }
    for (const auto &[watch, route] : left) {
        watch->left_behind(*route);
    }
    return again;
}

void WorkerPool::limit_queue(std::size_t max_queue) {
    const std::lock_guard lock(core_->mutex);
    core_->max_queue = max_queue;
}

bool WorkerPool::stop(Clock::time_point deadline) {
    std::deque<Job> dropped;
    std::unique_lock lock(core_->mutex);
    core_->stopping = true;
    dropped.swap(core_->queue);
    core_->work.notify_all();
    while (deadline != Clock::time_point::min() && core_->threads > 0) {
        const auto now = Clock::now();
        // Nobody waits for the answer of one that is overdue, and it may never return.
        const auto waited_for = [now](const Core::Running &job) { return !job.watch || now < job.deadline; };
        const bool some_run = std::any_of(core_->running.begin(), core_->running.end(), waited_for);
        if (now >= deadline || (!some_run && core_->threads <= core_->running.size())) {
            break;
        }
        auto look_at = deadline;
        for (const Core::Running &job : core_->running) {
            look_at = job.watch && now < job.deadline ? std::min(look_at, job.deadline) : look_at;
        }
        core_->gone.wait_until(lock, look_at);
    }
    return core_->threads == 0;
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
