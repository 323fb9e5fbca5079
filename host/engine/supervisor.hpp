// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain.hpp"
#include "engine/domain_worker.hpp"
#include "plugin/module.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace weir::engine {

class RouteClaims;

/// A domain as it was asked for; what is left empty comes from the plugin's defaults.
struct DomainRequest {
    std::string name;
    std::string service_name; ///< begins the consumer's name; empty: "weir"
    std::string plugin;       ///< empty: the plugin that offers a domain of this name, else the default plugin
    std::string schema;
    std::string group;
    std::vector<std::string> topics;
    std::string broker; ///< see DomainSpec
    std::optional<bool> parallel;
    std::vector<event::Binding> bindings;
    std::string settings_json = "{}";
    std::vector<std::string> settings_set_by; ///< variables whose values are in it; named where one doesn't fit
    Options options;
};

/// What the supervisor is to bring about.
struct Plan {
    std::vector<DomainRequest> domains;
    bool plugin_defaults = true;    ///< plugins also serve their default domains that nobody configured
    std::string defaults_refused;   ///< why those can't be served; empty: they can
    std::set<std::string> disabled; ///< domains that no plugin's default may serve either
    std::string default_plugin;     ///< serves configured domains that no plugin offers; empty: none does
    Options default_options;        ///< of plugins' default domains
};

/// Puts a request and a plugin's defaults together. @return what is missing or wrong, naming the config key
std::optional<std::string> resolve(const DomainRequest &request, const plugin::Description &plugin, const std::string &process_id,
                                   DomainSpec &out);

/**
 * Decides which plugin serves which domain, and keeps a worker for each: starts, swaps, restarts and drains them as plugins come and go and
 * the plan changes. Thread-safe.
 */
class Supervisor {
public:
    /// @param process_id unique to this process; ends consumers' names
    Supervisor(Environment environment, std::string process_id);
    ~Supervisor();
    Supervisor(const Supervisor &) = delete;
    Supervisor &operator=(const Supervisor &) = delete;

    /// Shapes of the host's own routes (`plugin::route_shape`), which no plugin can have, and who has them. Before the first plugin.
    void reserve_routes(std::map<std::string, std::string> shapes);

    /// While paused, plans and plugins are only noted; unpausing brings everything in line with them.
    void pause(bool paused);
    /// Takes over a plan; domains that it does not change go on undisturbed.
    /// @return the domains that it doesn't fit: those that go on with what served them before, and those that it keeps from being served
    std::vector<std::string> apply(Plan plan);
    /// A first or a next generation of a plugin.
    void plugin_loaded(std::shared_ptr<const plugin::Module> module);
    /// The plugin's file is gone: its domains drain and leave.
    void plugin_removed(const std::string &name);

    /// A domain as it is to be served, and by whom.
    struct Wanted {
        DomainSpec spec;
        std::shared_ptr<const plugin::Module> module;
    };
    /// What plan and plugins come to by domain, whether or not it has been brought about. `unserved`: why the others can't be.
    std::map<std::string, Wanted> planned(std::map<std::string, std::string> &unserved) const;
    /// Those that are served, as they are and by the generations that serve them: not by newer ones that were refused.
    std::map<std::string, Wanted> serving() const;

    /// Every domain: those served, and those that can't be, with the reason.
    std::vector<DomainStatus> status() const;
    /// What each that is served has to do now, on this host.
    std::map<std::string, std::shared_ptr<const WorkInHand>> work() const;
    /// Domains that the plan switches off.
    std::set<std::string> disabled() const;
    /// Those that are served, as they are.
    std::vector<DomainSpec> served() const;
    /// Whether every domain has nothing left to do.
    bool drained();

    /// Drains all domains and waits for them. @return false where handlers had to be abandoned: end the process with std::_Exit then
    bool stop();

private:
    std::vector<std::string> reconcile();
    std::map<std::string, Wanted> wanted(std::map<std::string, std::string> &unserved) const;
    std::shared_ptr<const plugin::Module> module_for(const DomainRequest &request, std::string &reason) const;
    void add_defaults(std::map<std::string, Wanted> &result, std::map<std::string, std::string> &unserved) const;
    void drop_route_conflicts(std::map<std::string, Wanted> &all, std::map<std::string, std::string> &unserved) const;
    void hold_routes(const std::map<std::string, Wanted> &all, const std::map<std::string, std::string> &unserved,
                     RouteClaims &claims) const;
    bool goes_on(const std::string &domain, const std::string &plugin, const std::map<std::string, std::string> &unserved) const;
    std::string misfit(const DomainWorker &worker, const std::map<std::string, Wanted> &all,
                       const std::map<std::string, std::string> &unserved) const;
    void add_overdue_routes(DomainStatus &status) const;
    std::string why_left(const DomainStatus &ended) const;
    void end(std::map<std::string, std::unique_ptr<DomainWorker>> leaving);

    const Environment environment_;
    const std::string process_id_;
    std::mutex reconcile_mutex_; // one change at a time, held while workers drain
    mutable std::mutex mutex_;   // what follows
    Plan plan_;
    std::map<std::string, std::shared_ptr<const plugin::Module>> modules_; // by plugin name
    std::map<std::string, std::uint64_t> module_order_;                    // which came first
    std::uint64_t next_order_ = 0;
    std::map<std::string, std::unique_ptr<DomainWorker>> workers_;         // by domain
    std::map<std::string, std::shared_ptr<const plugin::Module>> serving_; // by domain: what was last offered
    std::map<std::string, std::string> unserved_;                          // by domain: why not
    std::map<std::string, std::string> misfits_;                           // by domain: the change that it can't be served with
    std::map<std::string, DomainStatus> ended_;                            // by domain: last words of those that left, for final counts
    bool paused_ = false;
    std::map<std::string, std::string> host_routes_;
};

} // namespace weir::engine
