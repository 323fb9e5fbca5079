// SPDX-License-Identifier: Apache-2.0
#include "sampler.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <unistd.h>

namespace weir::cli {

namespace {

using Clock = std::chrono::steady_clock;

/// The connections by which one domain is asked about, made anew where a server failed; and what was answered last. Another one is made
/// where the domain or its group has changed.
class Probe {
public:
    explicit Probe(engine::DomainSpec spec) : spec_(std::move(spec)) { last_.lag.at = last_.store.at = Clock::now(); }

    bool is_for(const engine::DomainSpec &spec) const {
        return spec.schema == spec_.schema && spec.group == spec_.group && spec.topics == spec_.topics && spec.broker == spec_.broker;
    }

    DomainSample ask(broker::Broker *broker, store::Store &store) {
        try {
            if (broker && !consumer_) { // it claims nothing, so it takes nothing from the domain
                consumer_ = broker->subscribe({spec_.group, "weir-metrics-" + std::to_string(getpid()), spec_.topics, false});
            }
            if (consumer_) {
                last_.lag = {consumer_->lag(), Clock::now()};
            } else {
                last_.lag.at = Clock::now(); // there is nobody to be asked
            }
        } catch (const std::exception &) { // the domain itself says what is wrong
            consumer_.reset();
        }
        try { // a session is opened for each question: a connection of the pool that is held is one that domains lack
            last_.store = {store.domain(spec_.schema)->open()->figures(), Clock::now()};
        } catch (const std::exception &) {
        }
        return last_;
    }

private:
    const engine::DomainSpec spec_;
    DomainSample last_;
    std::unique_ptr<broker::Consumer> consumer_;
};

} // namespace

class Sampler::Thread {
public:
    Thread(const Brokers &brokers, store::Store &store, std::function<std::vector<engine::DomainSpec>()> domains)
        : brokers_(brokers), store_(store), domains_(std::move(domains)) {}

    ~Thread() {
        end_by(Clock::now());
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    bool end_by(Clock::time_point deadline) {
        std::unique_lock lock(mutex_);
        stop_ = true;
        changed_.notify_all();
        return changed_.wait_until(lock, deadline, [this] { return !thread_.joinable() || ended_; });
    }

    std::shared_ptr<const Samples> get(std::chrono::milliseconds max_age, std::chrono::milliseconds patience) {
        std::unique_lock lock(mutex_);
        const auto fresh = [&] { return last_->taken != Clock::time_point::min() && last_->taken + max_age >= Clock::now(); };
        if (!fresh()) {
            if (!thread_.joinable() && !stop_) {
                thread_ = std::thread([this] { loop(); });
            }
            wanted_ = true;
            changed_.notify_all();
            const auto before = last_;
            changed_.wait_for(lock, patience, [&] { return stop_ || last_ != before; });
        }
        return last_;
    }

private:
    void loop() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return stop_ || wanted_; });
            if (stop_) {
                break;
            }
            lock.unlock();
            auto samples = std::make_shared<Samples>(ask());
            lock.lock();
            wanted_ = false; // who asked meanwhile gets this
            last_ = std::move(samples);
            changed_.notify_all();
        }
        lock.unlock();
        probes_.clear();
        lock.lock();
        ended_ = true;
        changed_.notify_all();
    }

    Samples ask() {
        Samples samples;
        const std::vector<engine::DomainSpec> specs = domains_();
        std::map<std::string, std::unique_ptr<Probe>> kept;
        for (const engine::DomainSpec &spec : specs) {
            std::unique_ptr<Probe> &probe = kept[spec.name];
            if (const auto known = probes_.find(spec.name); known != probes_.end() && known->second->is_for(spec)) {
                probe = std::move(known->second);
            } else {
                probe = std::make_unique<Probe>(spec);
            }
            DomainSample &sample = samples.domains[spec.name] = probe->ask(broker_of(spec), store_);
            sample.parallel = spec.parallel;
        }
        probes_ = std::move(kept);
        samples.taken = Clock::now();
        return samples;
    }

    broker::Broker *broker_of(const engine::DomainSpec &spec) const {
        const auto found = spec.broker.empty() ? (brokers_.size() == 1 ? brokers_.begin() : brokers_.end()) : brokers_.find(spec.broker);
        return found == brokers_.end() ? nullptr : found->second.get();
    }

    const Brokers &brokers_;
    store::Store &store_;
    const std::function<std::vector<engine::DomainSpec>()> domains_;
    std::map<std::string, std::unique_ptr<Probe>> probes_; // the thread's own

    std::mutex mutex_;
    std::condition_variable changed_;
    std::shared_ptr<const Samples> last_ = std::make_shared<Samples>();
    bool wanted_ = false;
    bool stop_ = false;
    bool ended_ = false; // the thread, but for its return
    std::thread thread_;
};

Sampler::Sampler(const Brokers &brokers, store::Store &store, std::function<std::vector<engine::DomainSpec>()> domains)
    : thread_(std::make_unique<Thread>(brokers, store, std::move(domains))) {}
Sampler::~Sampler() = default;

bool Sampler::end_by(Clock::time_point deadline) { return thread_->end_by(deadline); }

std::shared_ptr<const Samples> Sampler::get(std::chrono::milliseconds max_age, std::chrono::milliseconds patience) {
    return thread_->get(max_age, patience);
}

} // namespace weir::cli
