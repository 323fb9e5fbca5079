// SPDX-License-Identifier: Apache-2.0
#include "engine/domain_worker.hpp"

#include "engine/domain_service.hpp"
#include "engine/route_board.hpp"
#include "engine/thread_name.hpp"
#include "engine/wakeup.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace weir::engine {

namespace {
constexpr auto kFirstBackoff = std::chrono::milliseconds(50);
constexpr auto kLastBackoff = std::chrono::milliseconds(5000);
} // namespace

// The thread of a domain and what others may ask of it.
class DomainWorker::Life {
public:
    Life(DomainSpec spec, std::shared_ptr<const plugin::Module> module, Environment environment)
        : spec_(std::move(spec)), environment_(std::move(environment)), module_(std::move(module)) {
        if (!spec_.broker.empty()) {
            environment_.broker = environment_.brokers.at(spec_.broker);
        }
        environment_.in_hand = std::make_shared<WorkInHand>();
        status_.name = spec_.name;
        status_.plugin = spec_.plugin;
        thread_ = std::thread([this] { loop(); });
    }

    ~Life() {
        request_stop();
        wait();
    }

    void wait() {
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    void request_stop() {
        stop_ = true;
        bell_.ring();
    }

    void offer(std::shared_ptr<const plugin::Module> module) {
        {
            const std::lock_guard lock(mutex_);
            offered_ = std::move(module);
        }
        bell_.ring();
    }

    DomainStatus status() const {
        const std::lock_guard lock(mutex_);
        return status_;
    }

    bool drained() {
        const std::lock_guard lock(service_mutex_);
        try {
            // In this order: a batch that is acknowledged by now is in the published counts where no step is under way.
            return service_ && service_->drained() && !stepping_;
        } catch (const std::exception &) {
            return false; // who can't be asked is not done
        }
    }

    const DomainSpec &spec() const { return spec_; }
    std::shared_ptr<const plugin::Module> module() const {
        const std::lock_guard lock(mutex_);
        return module_;
    }
    std::shared_ptr<const WorkInHand> work() const { return environment_.in_hand; }
    std::atomic<bool> abandoned_{false};

private:
    void loop() {
        name_thread("domain", spec_.name);
        auto backoff = kFirstBackoff;
        while (!stop_) {
            std::string reason;
            Phase phase = Phase::waiting;
            bool halted = false;
            bool unfit = false;        // this generation can't serve as things are: the next one is taken unseen
            bool needs_change = false; // see DomainStatus
            try {
                serve(backoff);
                continue;
            } catch (const PluginFatal &failure) {
                reason = std::string("the plugin stopped the domain: ") + failure.what() + "; replace the plugin or change its settings";
                halted = true;
            } catch (const PluginDeclined &failure) {
                reason = std::string("the plugin declined to start: ") + failure.what();
                halted = true;
            } catch (const store::SchemaWrong &failure) {
                reason = std::string("the schema doesn't fit: ") + failure.what();
                unfit = true;
            } catch (const store::Misconfigured &failure) {
                reason = failure.what();
                needs_change = true;
            } catch (const broker::Misconfigured &failure) {
                reason = failure.what();
                needs_change = true;
            } catch (const std::exception &failure) {
                reason = failure.what();
            }
            phase = halted ? Phase::halted : Phase::waiting;
            abandon_service();
            say(phase, reason, needs_change || halted || unfit);
            if (halted) {
                wait_for_offer();
                backoff = kFirstBackoff;
            } else if (!stop_) {
                bell_.wait_for(backoff);
                backoff = std::min(backoff * 2, kLastBackoff);
            }
            if (halted || unfit) {
                take_offer();
            }
        }
        close_service();
        if (environment_.routes) {
            environment_.routes->withdraw(spec_.name);
        }
        say(Phase::stopped, "stopped", false);
    }

    void serve(std::chrono::milliseconds &backoff) {
        auto service = std::make_shared<DomainService>(spec_, module_, environment_, bell_);
        {
            const std::lock_guard lock(service_mutex_);
            service_ = service;
        }
        const auto began = std::chrono::steady_clock::now();
        while (!stop_) {
            if (auto next = take_offered()) {
                swap(*service, next);
                if (service->is_outgrown()) {
                    break; // in good order: another service goes on
                }
            }
            const std::uint64_t batches = counts_.batches;
            stepping_ = true;
            const auto wake_at = service->step(counts_);
            publish(*service);
            stepping_ = false;
            if (counts_.batches != batches || std::chrono::steady_clock::now() - began > kLastBackoff) {
                backoff = kFirstBackoff;
            }
            if (!stop_) {
                bell_.wait_until(wake_at);
            }
        }
        service->drain(counts_);
        publish(*service);
        abandoned_ = service->overdue() > 0;
        if (!stop_) { // outgrown: the next one must not find this one's relay and readers at work
            service.reset();
            close_service();
        }
    }

    void swap(DomainService &service, const std::shared_ptr<const plugin::Module> &next) {
        try {
            if (service.swap(next, counts_)) {
                set_module(next);
                refused_.clear();
            } else {
                refused_ = service.refused();
            }
        } catch (...) { // an outage in between: the offer stands, unless there is a newer one
            const std::lock_guard lock(mutex_);
            if (!offered_) {
                offered_ = next;
            }
            throw;
        }
    }

    void abandon_service() {
        if (service_) { // only this thread changes it
            service_->abandon(counts_);
            if (stop_) {
                service_->leave_handlers_behind();
            }
        }
        close_service();
    }

    void close_service() {
        std::shared_ptr<DomainService> closing;
        const std::lock_guard lock(service_mutex_);
        closing.swap(service_);
    }

    std::shared_ptr<const plugin::Module> take_offered() {
        const std::lock_guard lock(mutex_);
        return std::exchange(offered_, nullptr);
    }

    void take_offer() {
        if (auto next = take_offered()) {
            set_module(std::move(next));
        }
    }

    void set_module(std::shared_ptr<const plugin::Module> module) {
        const std::lock_guard lock(mutex_);
        module_ = std::move(module);
    }

    void wait_for_offer() {
        for (;;) {
            {
                const std::lock_guard lock(mutex_);
                if (offered_ || stop_) {
                    return;
                }
            }
            bell_.wait_for(std::chrono::seconds(1));
        }
    }

    // What others see; a change of phase or reason is said once.
    void say(Phase phase, const std::string &reason, bool needs_change) {
        bool news = false;
        {
            const std::lock_guard lock(mutex_);
            news = status_.phase != phase || status_.reason != reason;
            status_.phase = phase;
            status_.ready = false;
            status_.reason = reason;
            status_.needs_change = needs_change;
            status_.counts = counts_;
        }
        if (news && phase != Phase::stopped) {
            log::error("domain.not_ready", "A domain is not ready",
                       {{"domain", spec_.name}, {"phase", phase_name(phase)}, {"reason", reason}});
        }
    }

    void publish(const DomainService &service) {
        DomainStatus next = service.status();
        next.counts = counts_;
        next.refused = refused_;
        bool became_ready = false;
        bool became_unready = false;
        {
            const std::lock_guard lock(mutex_);
            became_ready = next.ready && !status_.ready;
            became_unready = !next.ready && (status_.ready || status_.reason != next.reason) && next.phase != Phase::starting;
            status_ = next;
        }
        if (became_ready) {
            log::info("domain.ready", "A domain is ready",
                      {{"domain", spec_.name},
                       {"phase", phase_name(next.phase)},
                       {"plugin", next.plugin},
                       {"version", next.plugin_version},
                       {"generation", next.generation},
                       {"partitions", next.partitions}});
        } else if (became_unready) {
            log::error("domain.not_ready", "A domain is not ready",
                       {{"domain", spec_.name}, {"phase", phase_name(next.phase)}, {"reason", next.reason}});
        }
    }

    const DomainSpec spec_;
    Environment environment_; // constant from the constructor on
    Counts counts_;           // the thread's own
    std::string refused_;     // the thread's own

    mutable std::mutex mutex_;
    std::shared_ptr<const plugin::Module> module_; // set by the thread alone, which reads it unlocked
    std::shared_ptr<const plugin::Module> offered_;
    DomainStatus status_;

    std::mutex service_mutex_;
    std::shared_ptr<DomainService> service_;

    std::atomic<bool> stop_{false};
    std::atomic<bool> stepping_{false}; // a batch may be acknowledged whose counts are not published yet
    Wakeup bell_;
    std::thread thread_;
};

DomainWorker::DomainWorker(DomainSpec spec, std::shared_ptr<const plugin::Module> module, Environment environment)
    : life_(std::make_shared<Life>(std::move(spec), std::move(module), std::move(environment))) {}
DomainWorker::~DomainWorker() = default;
const DomainSpec &DomainWorker::spec() const { return life_->spec(); }
void DomainWorker::offer(std::shared_ptr<const plugin::Module> module) { life_->offer(std::move(module)); }
void DomainWorker::request_stop() { life_->request_stop(); }
void DomainWorker::wait() { life_->wait(); }
std::shared_ptr<const plugin::Module> DomainWorker::module() const { return life_->module(); }
DomainStatus DomainWorker::status() const { return life_->status(); }
std::shared_ptr<const WorkInHand> DomainWorker::work() const { return life_->work(); }
bool DomainWorker::drained() { return life_->drained(); }
bool DomainWorker::abandoned_handlers() const { return life_->abandoned_; }

} // namespace weir::engine
