// SPDX-License-Identifier: Apache-2.0
#include "operations/readiness.hpp"

#include "operations/operations.hpp"

#include "engine/work_in_hand.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <thread>
#include <unistd.h>
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

/// What a broker said of the domains that read from it.
struct BrokerAnswer {
    std::map<std::string, std::vector<broker::PartitionLag>> lags; ///< by domain
    std::map<std::string, std::string> failures;                   ///< by domain, where it could not be asked about it
};

/// Asks a broker about domains, by consumers that claim nothing and so take nothing from anybody.
class Watcher {
public:
    Watcher(broker::Broker &broker, std::string url, std::shared_ptr<const Sources> sources)
        : broker_(broker), url_(std::move(url)), sources_(std::move(sources)) {}

    BrokerAnswer ask() {
        BrokerAnswer answer;
        std::map<std::string, Watched> kept;
        for (const auto &[name, wanted] : sources_->served()) {
            const engine::DomainSpec &spec = wanted.spec;
            if ((spec.broker.empty() ? sources_->common_broker : spec.broker) != url_) {
                continue;
            }
            try {
                Watched one = std::move(watched_[name]);
                if (!one.consumer || one.group != spec.group || one.topics != spec.topics) {
                    one = {spec.group, spec.topics,
                           broker_.subscribe({spec.group, "weir-ready-" + std::to_string(getpid()), spec.topics, false})};
                }
                answer.lags[name] = one.consumer->lag();
                kept[name] = std::move(one); // one that failed is made anew
            } catch (const std::exception &failure) {
                answer.failures[name] = failure.what();
            }
        }
        watched_ = std::move(kept);
        return answer;
    }

private:
    struct Watched {
        std::string group;
        std::vector<std::string> topics;
        std::unique_ptr<broker::Consumer> consumer;
    };
    broker::Broker &broker_;
    const std::string url_;
    const std::shared_ptr<const Sources> sources_;
    std::map<std::string, Watched> watched_;
};

Work work_of(const engine::DomainStatus &domain, const engine::DomainSpec &spec, const engine::WorkInHand &here,
             const std::vector<broker::PartitionLag> &lags) {
    const engine::Counts &counts = domain.counts;
    Work work;
    work.settled = counts.applied + counts.duplicates + counts.ignored + counts.dead_letters + counts.retries;
    work.in_hand = here.events();
    work.shared = spec.parallel;
    work.leased = here.leased();
    for (const broker::PartitionLag &lag : lags) {
        const bool reads = spec.parallel || std::find(work.leased.begin(), work.leased.end(), lag.partition) != work.leased.end();
        work.backlog += reads ? lag.backlog : 0;
    }
    return work;
}

} // namespace

std::string Progress::look(const std::string &domain, const Work &work, Clock::time_point now, std::chrono::milliseconds limit) {
    if (work.in_hand == 0 && work.backlog == 0) {
        forget(domain);
        return {};
    }
    const auto [entry, first] = seen_.try_emplace(domain, Seen{work, now});
    Seen &seen = entry->second;
    // What was seen then and is neither settled nor somebody else's by now is there still, however far apart looks are.
    const bool elsewhere = work.leased != seen.work.leased || (work.shared && work.in_hand == 0 && work.backlog < seen.work.backlog);
    if (first || work.settled != seen.work.settled || elsewhere) {
        seen = {work, now};
        return {};
    }
    seen.work.backlog = work.backlog;
    const auto stood = std::chrono::duration_cast<std::chrono::milliseconds>(now - seen.since);
    if (stood < limit) {
        return {};
    }
    return "it stands still: " + std::to_string(work.in_hand) + " events are in memory and " + std::to_string(work.backlog) +
           " messages are not read yet, and none was committed, put among the dead letters or retried for " +
           std::to_string(stood.count()) + " ms (http.operations.stalled_after_ms)";
}

struct Readiness::State {
    std::shared_ptr<const Sources> sources;
    std::map<std::string, std::unique_ptr<Probe<BrokerAnswer>>> brokers; ///< by url
    std::unique_ptr<Probe<bool>> store;
    std::mutex mutex; ///< guards `progress`
    Progress progress;
    std::atomic<bool> started{false};
    std::atomic<bool> stopping{false};
};

namespace {

/// Why a broker can't be asked about a domain; empty where it can.
std::string silence_of(const Probe<BrokerAnswer>::Result &result, const std::string &domain) {
    if (!result.answer) {
        return result.failure;
    }
    const auto failure = result.answer->failures.find(domain);
    return failure == result.answer->failures.end() ? "" : failure->second;
}

} // namespace

Readiness::Readiness(std::shared_ptr<const Sources> sources) : state_(std::make_unique<State>()) {
    state_->sources = std::move(sources);
    for (const auto &[url, broker] : state_->sources->brokers) {
        const auto watcher = std::make_shared<Watcher>(*broker, url, state_->sources);
        state_->brokers[url] = std::make_unique<Probe<BrokerAnswer>>([watcher] { return watcher->ask(); });
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
    std::map<std::string, Probe<BrokerAnswer>::Result> brokers;
    for (const auto &[url, probe] : state_->brokers) {
        brokers[url] = probe->wait(until);
    }
    const Probe<bool>::Result store = state_->store->wait(until);
    const auto served = sources.served();
    const auto work = sources.work();
    const std::lock_guard lock(state_->mutex);
    for (const engine::DomainStatus &domain : sources.domains()) {
        if (domain.phase == engine::Phase::stopped) {
            continue;
        }
        const auto how = served.find(domain.name);
        const engine::DomainSpec *spec = how == served.end() ? nullptr : &how->second.spec;
        const auto broker = brokers.find(spec == nullptr || spec->broker.empty() ? sources.common_broker : spec->broker);
        const std::string silence = broker == brokers.end() ? "" : silence_of(broker->second, domain.name);
        std::string fault;
        if (!domain.ready) {
            fault = domain.reason.empty() ? "it is " + std::string(engine::phase_name(domain.phase)) : domain.reason;
        } else if (!store.answer) {
            fault = "the store doesn't answer: " + store.failure;
        } else if (spec != nullptr && !silence.empty()) {
            fault = "the broker " + sources.masked_url(broker->first) + " doesn't answer: " + silence;
        }
        const auto here = work.find(domain.name);
        const bool serves = spec != nullptr && broker != brokers.end() && here != work.end() && domain.phase != engine::Phase::standby;
        if (fault.empty() && serves && broker->second.answer->lags.contains(domain.name)) {
            const Work seen = work_of(domain, *spec, *here->second, broker->second.answer->lags.at(domain.name));
            fault = state_->progress.look(domain.name, seen, Clock::now(), sources.stalled_after);
        } else {
            state_->progress.forget(domain.name); // others get on with it, or its fault is said already
        }
        if (!fault.empty()) {
            faults.push_back({domain.name, fault});
        }
    }
    return faults;
}

} // namespace weir::operations
