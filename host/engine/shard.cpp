// SPDX-License-Identifier: Apache-2.0
#include "engine/shard.hpp"

#include "engine/thread_name.hpp"
#include "log/log.hpp"

#include <utility>

namespace weir::engine {

namespace {

constexpr std::uint32_t kRunAgainAtOnce = 5; // then with a pause: whoever is in the way may need the processor
constexpr auto kRunAgainPause = std::chrono::milliseconds(20);

} // namespace

Shard::Shard(store::DomainStore &store, Wakeup &bell, const std::string &domain, BatchesUnderWay &under_way, bool own_thread)
    : store_(store), bell_(bell), domain_(domain), under_way_(under_way) {
    if (own_thread) {
        thread_ = std::thread([this] { loop(); });
    }
}

Shard::~Shard() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Shard::serve(std::unique_ptr<HandlerLanes> handlers,
                  const std::function<std::unique_ptr<BatchCycle>(HandlerLanes &, KeyGate &)> &cycle) {
    cycle_.reset();
    handlers_ = std::move(handlers);
    cycle_ = cycle(*handlers_, gate_);
    session_ = store_.open();
}

void Shard::close() {
    wait();
    cycle_.reset();
    handlers_.reset();
}

void Shard::start(std::vector<WorkPtr> batch, std::vector<store::Lease> leases) {
    batch_ = std::move(batch);
    leases_ = std::move(leases);
    begun_ = true;
    under_way_.begin();
    if (!thread_.joinable()) {
        run();
        return;
    }
    const std::lock_guard lock(mutex_);
    running_ = true;
    changed_.notify_all();
}

void Shard::run() {
    try {
        attempt_ = cycle_->run(*session_, batch_, leases_);
    } catch (...) {
        failure_ = std::current_exception();
    }
    under_way_.end();
}

void Shard::loop() {
    name_thread("commit", domain_);
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stop_ || running_; });
        if (!running_) {
            return;
        }
        lock.unlock();
        run();
        lock.lock();
        running_ = false;
        changed_.notify_all();
        bell_.ring();
    }
}

bool Shard::has_ended() const {
    const std::lock_guard lock(mutex_);
    return begun_ && !running_;
}

void Shard::wait() const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !running_; });
}

Shard::Ended Shard::look(Counts &counts) {
    begun_ = false;
    Ended ended;
    const std::shared_ptr<BatchCycle::Attempt> attempt = std::move(attempt_);
    std::vector<WorkPtr> batch = std::move(batch_);
    try {
        if (const std::exception_ptr failure = std::exchange(failure_, nullptr)) {
            std::rethrow_exception(failure);
        }
        ended.decided = cycle_->complete(batch, *attempt, counts);
        ended.undecided = batch.size() - ended.decided.size();
        run_again_ = 0;
        if (!ended.decided.empty()) {
            ended.batch = std::move(batch);
        }
    } catch (const store::RunAgain &reason) {
        if (++run_again_ == kRunAgainAtOnce) {
            log::warn("batch.contended", "A batch runs again and again; something else writes the same rows",
                      {{"domain", domain_}, {"reason", reason.what()}});
        }
        again_at_ = is_contended() ? Clock::now() + kRunAgainPause : Clock::time_point::min();
        unfinished_ = std::move(batch);
    } catch (const store::InDoubt &reason) {
        log::warn("batch.in_doubt", "A commit's answer was lost; the ledger will tell", {{"domain", domain_}, {"reason", reason.what()}});
        again_at_ = Clock::time_point::min();
        unfinished_ = std::move(batch);
        try {
            session_ = store_.open();
        } catch (...) {
            ended.failure = std::current_exception();
        }
    } catch (const store::Fenced &) {
        ended.undecided = batch.size();
        ended.fenced = true;
    } catch (...) {
        ended.undecided = batch.size();
        ended.failure = std::current_exception();
    }
    return ended;
}

event::Micros Shard::oldest_appended() const {
    event::Micros oldest = gate_.oldest_appended();
    const auto look_at = [&](const auto &works) {
        for (const WorkPtr &work : works) {
            oldest = std::min(oldest, work->event->message->appended_at);
        }
    };
    look_at(queue_);
    look_at(unfinished_);
    if (begun_) {
        look_at(batch_);
    }
    return oldest;
}

std::size_t Shard::in_hand() const {
    const auto due = gate_.next_due();
    return queue_.size() + unfinished_.size() + (begun_ ? batch_.size() : 0) + (due && *due <= Clock::now() ? 1 : 0);
}

bool Shard::is_contended() const { return run_again_ > kRunAgainAtOnce; }

std::vector<WorkPtr> Shard::take_unfinished() { return std::exchange(unfinished_, {}); }

std::size_t Shard::drop_unfinished() { return take_unfinished().size(); }

} // namespace weir::engine
