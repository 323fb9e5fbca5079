// SPDX-License-Identifier: Apache-2.0
#include "operations/readiness.hpp"

#include "operations/operations.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <thread>
#include <utility>

namespace weir::operations {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kFresh = std::chrono::seconds(1);
constexpr auto kPatience = std::chrono::seconds(2);

/// A server that is asked something by a thread of its own.
template <typename Answer> class Probe {
public:
    explicit Probe(std::function<Answer()> question) : question_(std::move(question)) {}
    ~Probe() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    Probe(const Probe &) = delete;
    Probe &operator=(const Probe &) = delete;

    struct Result {
        std::optional<Answer> answer;
        std::string failure; ///< where there is no answer
    };

    void begin() {
        const std::lock_guard lock(mutex_);
        if (asked_ || (result_ && Clock::now() < at_ + kFresh)) {
            return;
        }
        asked_ = true;
        since_ = Clock::now();
        if (!thread_.joinable()) {
            thread_ = std::thread([this] { run(); });
        }
        changed_.notify_all();
    }

    Result wait(Clock::time_point until) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_until(lock, until, [this] { return !asked_; })) {
            const auto waited = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - since_).count();
            return {std::nullopt, "no answer for " + std::to_string(waited) + " s"};
        }
        return result_.value_or(Result{std::nullopt, "it was not asked"});
    }

private:
    void run() {
        pthread_setname_np(pthread_self(), "weir-probe");
        std::unique_lock lock(mutex_);
        while (!stopping_) {
            if (!asked_) {
                changed_.wait(lock);
                continue;
            }
            lock.unlock();
            Result result;
            try {
                result.answer = question_();
            } catch (const std::exception &failure) {
                result.failure = failure.what();
            }
            lock.lock();
            result_ = std::move(result);
            at_ = Clock::now();
            asked_ = false;
            changed_.notify_all();
        }
    }

    const std::function<Answer()> question_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<Result> result_;
    Clock::time_point at_;
    Clock::time_point since_;
    bool asked_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

using Topics = std::vector<broker::TopicInfo>;

std::uint64_t lag_of(const engine::DomainSpec &spec, const Topics &topics) {
    std::uint64_t lag = 0;
    for (const broker::TopicInfo &topic : topics) {
        if (std::find(spec.topics.begin(), spec.topics.end(), topic.topic) != spec.topics.end()) {
            for (const broker::GroupInfo &group : topic.groups) {
                lag += group.group == spec.group ? group.backlog : 0;
            }
        }
    }
    return lag;
}

} // namespace

std::string Progress::look(const std::string &domain, std::uint64_t batches, std::uint64_t lag, Clock::time_point now,
                           std::chrono::milliseconds limit) {
    const auto [entry, first] = seen_.try_emplace(domain, Seen{batches, lag, std::nullopt});
    Seen &seen = entry->second;
    if (first || seen.batches != batches || lag <= seen.lag) {
        seen = {batches, lag, std::nullopt};
        return {};
    }
    if (!seen.grown) { // looks may be far apart: time counts from the first that saw it
        seen.grown = now;
    }
    if (now - *seen.grown < limit) {
        return {};
    }
    return "its lag has grown from " + std::to_string(seen.lag) + " to " + std::to_string(lag) +
           " messages, and nothing was committed for " +
           std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now - *seen.grown).count()) +
           " ms (http.operations.stalled_after_ms)";
}

struct Readiness::State {
    std::shared_ptr<const Sources> sources;
    std::map<std::string, std::unique_ptr<Probe<Topics>>> brokers; ///< by url
    std::unique_ptr<Probe<bool>> store;
    std::mutex mutex; ///< guards `progress`
    Progress progress;
    std::atomic<bool> started{false};
    std::atomic<bool> stopping{false};
};

Readiness::Readiness(std::shared_ptr<const Sources> sources) : state_(std::make_unique<State>()) {
    state_->sources = std::move(sources);
    for (const auto &[url, broker] : state_->sources->brokers) {
        state_->brokers[url] = std::make_unique<Probe<Topics>>([broker = broker] { return broker->topics(); });
    }
    state_->store = std::make_unique<Probe<bool>>([store = state_->sources->store] { return store->has_domain("weir"); });
}

Readiness::~Readiness() = default;

void Readiness::started() { state_->started = true; }
void Readiness::stopping() { state_->stopping = true; }

std::vector<NotReady> Readiness::ask() {
    const Sources &sources = *state_->sources;
    if (state_->stopping) {
        return {{"", "the host stops"}};
    }
    if (!state_->started && sources.domains().empty()) {
        return {{"", "the host starts, and its plugins are not loaded yet"}};
    }
    std::vector<NotReady> faults;
    const auto until = Clock::now() + kPatience;
    for (const auto &[url, probe] : state_->brokers) {
        probe->begin();
    }
    state_->store->begin();
    std::map<std::string, Probe<Topics>::Result> brokers;
    for (const auto &[url, probe] : state_->brokers) {
        brokers[url] = probe->wait(until);
    }
    const Probe<bool>::Result store = state_->store->wait(until);
    const auto served = sources.served();
    const std::lock_guard lock(state_->mutex);
    for (const engine::DomainStatus &domain : sources.domains()) {
        if (domain.phase == engine::Phase::stopped) {
            continue;
        }
        if (!domain.ready) {
            faults.push_back(
                {domain.name, domain.reason.empty() ? "it is " + std::string(engine::phase_name(domain.phase)) : domain.reason});
            continue;
        }
        if (!store.answer) {
            faults.push_back({domain.name, "the store doesn't answer: " + store.failure});
            continue;
        }
        const auto how = served.find(domain.name);
        if (how == served.end()) {
            continue;
        }
        const engine::DomainSpec &spec = how->second.spec;
        const auto broker = brokers.find(spec.broker.empty() ? sources.common_broker : spec.broker);
        if (broker == brokers.end()) {
            continue;
        }
        if (!broker->second.answer) {
            faults.push_back(
                {domain.name, "the broker " + sources.masked_url(broker->first) + " doesn't answer: " + broker->second.failure});
            continue;
        }
        if (domain.phase == engine::Phase::standby) {
            continue; // others commit
        }
        const std::string stalled = state_->progress.look(domain.name, domain.counts.batches, lag_of(spec, *broker->second.answer),
                                                          Clock::now(), sources.stalled_after);
        if (!stalled.empty()) {
            faults.push_back({domain.name, stalled});
        }
    }
    return faults;
}

} // namespace weir::operations
