// SPDX-License-Identifier: Apache-2.0
#include "cli/run_host.hpp"

#include "cli/host_access.hpp"
#include "cli/http_service.hpp"
#include "cli/metrics_service.hpp"
#include "cli/missing_topics.hpp"
#include "cli/plan.hpp"
#include "cli/plugin_routes.hpp"
#include "cli/plugin_states.hpp"
#include "cli/status_report.hpp"
#include "config/watch.hpp"
#include "engine/crash_marks.hpp"
#include "engine/overdue_routes.hpp"
#include "engine/supervisor.hpp"
#include "event/uuid.hpp"
#include "hints.hpp"
#include "log/log.hpp"
#include "plugin/catalog.hpp"
#include "process_usage.hpp"
#include "stop_deadline.hpp"
#include "take_over.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <unistd.h>

namespace weir::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kLookWhileWaiting = std::chrono::milliseconds(10); // for readiness or drainage
constexpr auto kLook = std::chrono::milliseconds(200);
constexpr auto kMaintainEvery = std::chrono::minutes(1);
constexpr auto kStatusEvery = std::chrono::milliseconds(1000);
constexpr auto kSampleEvery = std::chrono::seconds(5);              // what broker and store say for `weir status`
constexpr auto kSampleEnd = std::chrono::milliseconds(500);         // for the answer to that, when the host ends
constexpr auto kRoutesEnd = std::chrono::seconds(10);               // for what is on its way to a broker that doesn't answer
constexpr auto kRoutesEndWithout = std::chrono::milliseconds(2500); // the same, where routes never end: what was withdrawn has two seconds

// Signals are taken by the main thread alone, in its loop; threads started after this inherit the mask.
class Signals {
public:
    Signals() {
        sigemptyset(&set_);
        for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
            sigaddset(&set_, number);
        }
        pthread_sigmask(SIG_BLOCK, &set_, nullptr);
        std::signal(SIGPIPE, SIG_IGN);
    }
    /// The next signal, or 0 where none came in time.
    int wait(std::chrono::milliseconds time) const {
        timespec timeout{};
        timeout.tv_sec = time.count() / 1000;
        timeout.tv_nsec = (time.count() % 1000) * 1'000'000;
        const int number = sigtimedwait(&set_, nullptr, &timeout);
        return number > 0 ? number : 0;
    }

    /// From now on a signal ends the process as it is; everything is safe to be done again.
    void end_at_once() const {
        for (const int number : {SIGTERM, SIGINT}) {
            std::signal(number, [](int caught) {
                engine::CrashMarks::end_all_orderly();
                _exit(128 + caught);
            });
        }
        std::signal(SIGHUP, SIG_IGN);
        pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
    }

private:
    sigset_t set_{};
};

plugin::CatalogListener listen(engine::Supervisor &supervisor, PluginStates &plugins) {
    plugin::CatalogListener listener;
    listener.loaded = [&supervisor, &plugins](std::shared_ptr<const plugin::Module> module) {
        const plugin::Description &about = module->description();
        plugins.loaded(*module);
        log::info("plugin.loaded", "A plugin was loaded",
                  {{"plugin", about.name}, {"version", about.version}, {"generation", module->generation()}, {"file", module->origin()}});
        supervisor.plugin_loaded(std::move(module));
    };
    listener.removed = [&supervisor, &plugins](const std::string &name) {
        plugins.removed(name);
        log::info("plugin.removed", "A plugin's file is gone; its domains drain and leave", {{"plugin", name}});
        supervisor.plugin_removed(name);
    };
    listener.refused = [&plugins](const plugin::PluginRefusal &refusal) {
        plugins.refused(refusal);
        log::error("plugin.refused", refusal.message,
                   {{"file", refusal.file.string()}, {"code", refusal.code}, {"remedy", refusal.remedy}});
    };
    return listener;
}

void maintain(const Brokers &brokers) {
    for (const auto &[url, broker] : brokers) {
        try {
            broker->maintain();
        } catch (const std::exception &failure) {
            log::warn("broker.maintenance_failed", "The broker's housekeeping failed; it is tried again",
                      {{"broker", config::masked_url(url)}, {"reason", failure.what()}});
        }
    }
}

/// How to end where a domain says that it can't begin, which is said in the log; for who asked for --fail-fast.
std::optional<Exit> unable_to_begin(const std::vector<engine::DomainStatus> &domains) {
    auto failed = std::find_if(domains.begin(), domains.end(),
                               [](const engine::DomainStatus &domain) { return !domain.ready && domain.needs_change; });
    if (failed == domains.end()) {
        failed = std::find_if(domains.begin(), domains.end(), [](const engine::DomainStatus &domain) {
            return !domain.ready && (domain.phase == engine::Phase::waiting || domain.phase == engine::Phase::halted);
        });
    }
    if (failed == domains.end()) {
        return std::nullopt;
    }
    log::error("host.gave_up", "A domain can't begin, and --fail-fast asks not to wait for it",
               {{"domain", failed->name}, {"reason", failed->reason}});
    return failed->needs_change ? Exit::configuration : Exit::unavailable;
}

engine::Environment environment_of(const config::HostConfig &config, const Brokers &brokers, store::Store &store,
                                   const event::Contracts &contracts, engine::EventBudget &budget) {
    engine::Environment environment;
    for (const auto &[url, broker] : brokers) {
        environment.brokers[url] = broker.get();
    }
    if (const auto common = brokers.find(config.broker_url); common != brokers.end()) {
        environment.broker = common->second.get();
    }
    environment.store = &store;
    environment.contracts = &contracts;
    environment.state_directory = config.state_directory;
    environment.budget = &budget;
    return environment;
}

operations::Sources sources_of(const config::HostConfig &config, const Brokers &brokers, store::Store &store,
                               const event::Contracts &contracts, const engine::Supervisor &supervisor, const PluginStates &plugins,
                               const RefusedConfiguration &refused) {
    operations::Sources sources;
    sources.version = WEIR_VERSION;
    sources.domains = [&supervisor] { return supervisor.status(); };
    sources.served = [&supervisor] { return supervisor.serving(); };
    sources.work = [&supervisor] { return supervisor.work(); };
    sources.plugins = [&plugins] { return plugins.all(); };
    sources.refused_configuration = [&refused] {
        std::vector<operations::ConfigurationFault> faults;
        for (config::Problem &problem : refused.now()) {
            faults.push_back({std::move(problem.where), std::move(problem.what)});
        }
        return faults;
    };
    for (const auto &[url, broker] : brokers) {
        sources.brokers[url] = broker.get();
    }
    sources.common_broker = config.broker_url;
    sources.masked_url = [](const std::string &url) { return config::masked_url(url); };
    sources.store = &store;
    sources.contracts = &contracts;
    sources.state_directory = config.state_directory;
    return sources;
}

/// While it lives, the server has the routes that are on the board.
class BoardWatch {
public:
    BoardWatch(engine::RouteBoard &board, HttpService &http) : board_(board) {
        board_.on_change([this, &board, &http] {
            for (const std::string &problem : http.set_plugin_routes(plugin_routes(board, &shadowed_))) {
                log::error("http.routes_refused", "A plugin's route can't be served beside others, and is left out", {{"reason", problem}});
            }
        });
    }
    ~BoardWatch() { board_.on_change({}); }
    BoardWatch(const BoardWatch &) = delete;
    BoardWatch &operator=(const BoardWatch &) = delete;

private:
    engine::RouteBoard &board_;
    std::set<std::string> shadowed_; // while the board tells of a change, which it does one at a time
};

} // namespace

Exit run_host(const RunOptions &options, config::Loaded loaded, const Brokers &brokers, store::Store &store,
              std::vector<std::string> trial_command) {
    const auto started = Clock::now();
    HostReport report; // but for what changes
    report.started = event::now();
    const Signals signals;
    std::optional<StopDeadline> stop_deadline; // goes last
    engine::install_crash_signal_handlers();
    const config::HostConfig config = loaded.config;
    std::filesystem::create_directories(config.state_directory);
    const event::Contracts contracts = load_contracts(config);
    engine::EventBudget budget(options.max_events.value_or(std::numeric_limits<std::int64_t>::max()));
    const std::string process_id = event::Uuid::random().text().substr(0, 8) + "-" + std::to_string(getpid());
    engine::RouteBoard board;
    engine::Environment environment = environment_of(config, brokers, store, contracts, budget);
    environment.routes = config.http.listen.empty() ? nullptr : &board;
    engine::Supervisor supervisor(std::move(environment), process_id);

    plugin::CatalogOptions catalog_options;
    catalog_options.directory = config.plugins_directory;
    catalog_options.private_directory = config.state_directory / "generations";
    catalog_options.poll_interval = std::chrono::milliseconds(config.plugins_poll_ms);
    catalog_options.use_inotify = config.plugins_inotify;
    catalog_options.known_event_types = contracts.event_types();
    catalog_options.trial_command = std::move(trial_command);
    log::info("host.starting", "Weir starts",
              {{"config", config.file.string()}, {"plugins", config.plugins_directory.string()}, {"pid", getpid()}});

    if (options.config_file.empty()) {
        log::info(
            "config.none",
            "No configuration file is given (weir run -c FILE): defaults and WEIR_ variables are in effect, and data goes where they say",
            {{"broker", config::masked_url(config.broker_url)},
             {"store", config::masked_url(config.store_url)},
             {"state", config.state_directory.string()},
             {"http", config.http.listen.empty() ? std::string("off") : config.http.listen}});
    }

    PluginStates plugins;
    RefusedConfiguration refused_configuration;
    Sampler sampler(brokers, store, [&supervisor] { return supervisor.served(); });
    HttpService http(config.http, sources_of(config, brokers, store, contracts, supervisor, plugins, refused_configuration));
    serve_metrics(http, supervisor,
                  {[&plugins] { return plugins.refused_now().size(); }, [&] { return refused_configuration.now().size(); }}, sampler, store,
                  config.store.pool_max);
    supervisor.reserve_routes(http.host_shapes());
    http.start();
    const BoardWatch board_watch(board, http);
    MissingTopicsWatch missing_topics(brokers);
    std::optional<StatusFile> status_file(std::in_place, config.state_directory);
    report.lock = status_file->lock_name();
    bool drained = false;
    bool timed_out = false;
    std::map<std::string, std::vector<MissingTopic>> not_drained; // topics that aren't there
    std::optional<Exit> gave_up;
    {
        supervisor.pause(true); // plugins of the first look are gathered, so that each domain starts once, on the right one
        supervisor.apply(plan_of(config));
        plugin::Catalog catalog(std::move(catalog_options), listen(supervisor, plugins));
        catalog.start();
        supervisor.pause(false);
        config::WatchOptions watch_options;
        watch_options.host_file = options.config_file;
        watch_options.environment = config::process_environment();
        std::optional<config::Watch> watch; // without a file there is nothing to watch
        const auto changed_configuration = [&](const config::Loaded &changed) {
            refused_configuration.set(take_over(supervisor, http, config, changed));
        };
        if (!options.config_file.empty()) {
            watch.emplace(std::move(watch_options), loaded, changed_configuration);
        }

        bool ready_said = false;
        auto status_at = Clock::now();
        auto maintain_at = Clock::now() + kMaintainEvery;
        for (;;) {
            const int signal = signals.wait(!ready_said || options.until_drained || options.max_events ? kLookWhileWaiting : kLook);
            if (signal == SIGHUP) {
                if (watch) {
                    watch->reload();
                }
            } else if (signal != 0) {
                log::info("host.stopping", "A signal asks to stop; batches that run end first",
                          {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
                break;
            }
            const auto now = Clock::now();
            if (now >= status_at || !ready_said) {
                const auto domains = supervisor.status();
                const bool ready = all_ready(domains);
                if (now >= status_at || ready) {
                    missing_topics.look(domains, config);
                    report.refused_plugins = plugins.refused_now();
                    report.refused_configuration = refused_configuration.now();
                    report.missing_topics = missing_topics.now();
                    report.disabled = supervisor.disabled();
                    if (now >= started + kStatusEvery) { // who only drains a little need not wait for the answer
                        report.samples = sampler.get(kSampleEvery, {});
                    }
                    status_file->write(status_json(domains, report));
                    status_at = now + kStatusEvery;
                }
                if (ready && !ready_said) {
                    ready_said = true;
                    http.started();
                    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - started);
                    log::info("host.ready",
                              domains.empty() ? "No domain is served yet: the plugin directory holds no plugin that can be"
                                              : "Every domain is ready",
                              {{"domains", domains.size()}, {"start_to_ready_ms", elapsed.count()}});
                }
            }
            if (options.fail_fast && !ready_said && (gave_up = unable_to_begin(supervisor.status()))) {
                break;
            }
            if (now >= maintain_at) {
                maintain(brokers);
                maintain_at = now + kMaintainEvery;
            }
            if (budget.spent()) {
                break;
            }
            if (options.until_drained && supervisor.drained()) {
                drained = true;
                not_drained = cli::missing_topics(supervisor.served(), brokers, config.broker_url);
                break;
            }
            if (options.until_drained && options.drain_timeout && now - started > *options.drain_timeout) {
                timed_out = true;
                break;
            }
        }
        stop_deadline.emplace(StopDeadline::times(config, supervisor.served()), [&store] { store.give_up(); });
    }
    signals.end_at_once(); // whoever asks a second time doesn't want to wait
    http.stopping();
    bool clean = supervisor.stop();
    clean = sampler.end_by(std::min(Clock::now() + kSampleEnd, stop_deadline->last_words())) && clean;
    engine::CrashMarks::end_all_orderly(); // what a domain left behind before it was begun anew, in an outage, is no crash either
    clean = http.stop() && clean;
    const auto left = engine::OverdueRoutes::left_in_process();
    const auto patience = left.empty() ? Clock::duration(kRoutesEnd) : Clock::duration(kRoutesEndWithout);
    clean = board.retirement().wait_until(std::min(Clock::now() + patience, stop_deadline->last_words())) && clean;
    for (const engine::OverdueRoutes::Left &one : engine::OverdueRoutes::left_in_process()) {
        log::error("route.abandoned",
                   "Requests to a route had not returned when the host had to end, and are left; what they have not committed is not done",
                   {{"domain", one.domain}, {"route", one.route}, {"requests", one.count}});
    }
    const auto domains = supervisor.status();
    status_file.reset();
    if (options.json) {
        HostReport last;
        last.started = report.started;
        last.missing_topics = not_drained;
        last.refused_plugins = plugins.refused_now();
        last.refused_configuration = refused_configuration.now();
        last.disabled = supervisor.disabled();
        std::printf("%s\n", status_json(domains, last).c_str());
    } else {
        std::printf("%s", counts_table(domains).c_str());
    }
    tell_not_drained(not_drained, !options.json);
    std::fflush(stdout);
    for (const engine::DomainStatus &domain : domains) {
        const engine::Counts &counts = domain.counts;
        log::info("domain.counts", "Final counts",
                  {{"domain", domain.name},
                   {"messages", counts.messages},
                   {"applied", counts.applied},
                   {"duplicates", counts.duplicates},
                   {"stale", counts.stale},
                   {"ignored", counts.ignored},
                   {"dead_letters", counts.dead_letters},
                   {"retries", counts.retries}});
    }
    const Exit status = gave_up                                     ? *gave_up
                        : timed_out && !drained                     ? Exit::not_drained
                        : options.fail_fast && !not_drained.empty() ? Exit::configuration
                                                                    : Exit::ok;
    if (timed_out) {
        log::error("host.not_drained",
                   with_config("Not drained within --drain-timeout; see the reasons of domains that are not ready, and `weir topics`",
                               options.config_file.string()));
    }
    const ProcessUsage usage = process_usage();
    log::info("host.stopped", "Weir has stopped",
              {{"exit_code", static_cast<int>(status)},
               {"elapsed_ms", std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started).count()},
               {"cpu_ms", usage.cpu_milliseconds},
               {"peak_resident_kib", usage.peak_resident_kib}});
    if (!clean) {
        std::_Exit(static_cast<int>(status)); // a handler still runs in its thread: nothing that it uses may be taken down
    }
    return status;
}

} // namespace weir::cli
