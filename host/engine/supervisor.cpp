// SPDX-License-Identifier: Apache-2.0
#include "engine/supervisor.hpp"

#include "engine/domain_defaults.hpp"
#include "engine/handler_lane.hpp"

#include "log/log.hpp"

#include <algorithm>
#include <set>

namespace weir::engine {

Supervisor::Supervisor(Environment environment, std::string process_id)
    : environment_(std::move(environment)), process_id_(std::move(process_id)) {}

Supervisor::~Supervisor() { stop(); }

std::map<std::string, Supervisor::Wanted> Supervisor::planned(std::map<std::string, std::string> &unserved) const {
    const std::lock_guard lock(mutex_);
    return wanted(unserved);
}

std::map<std::string, Supervisor::Wanted> Supervisor::serving() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, Wanted> result;
    for (const auto &[domain, worker] : workers_) {
        result[domain] = {worker->spec(), worker->module()};
    }
    return result;
}

void Supervisor::reserve_routes(std::map<std::string, std::string> shapes) {
    const std::lock_guard lock(mutex_);
    host_routes_ = std::move(shapes);
}

void Supervisor::pause(bool paused) {
    const std::lock_guard one(reconcile_mutex_);
    {
        const std::lock_guard lock(mutex_);
        paused_ = paused;
    }
    reconcile();
}

std::vector<std::string> Supervisor::apply(Plan plan) {
    const std::lock_guard one(reconcile_mutex_);
    {
        const std::lock_guard lock(mutex_);
        plan_ = std::move(plan);
    }
    return reconcile();
}

void Supervisor::plugin_loaded(std::shared_ptr<const plugin::Module> module) {
    const std::lock_guard one(reconcile_mutex_);
    {
        const std::lock_guard lock(mutex_);
        const std::string &name = module->description().name;
        module_order_.try_emplace(name, next_order_++);
        modules_[name] = std::move(module);
    }
    reconcile();
}

void Supervisor::plugin_removed(const std::string &name) {
    const std::lock_guard one(reconcile_mutex_);
    {
        const std::lock_guard lock(mutex_);
        modules_.erase(name);
        module_order_.erase(name);
    }
    reconcile();
}

std::shared_ptr<const plugin::Module> Supervisor::module_for(const DomainRequest &request, std::string &reason) const {
    const auto named = [&](const std::string &name) {
        const auto found = modules_.find(name);
        return found == modules_.end() ? nullptr : found->second;
    };
    if (!request.plugin.empty()) {
        auto module = named(request.plugin);
        if (!module) {
            reason = "plugin " + request.plugin + " (key \"plugin\" of domain " + request.name + ") is not in the plugin directory";
        }
        return module;
    }
    std::shared_ptr<const plugin::Module> claiming;
    std::uint64_t order = 0;
    for (const auto &[name, module] : modules_) {
        if (defaults_for(module->description(), request.name) && (!claiming || module_order_.at(name) < order)) {
            claiming = module;
            order = module_order_.at(name);
        }
    }
    if (claiming) {
        return claiming;
    }
    if (plan_.default_plugin.empty()) {
        reason = "no plugin offers domain " + request.name + "; name one with the key \"plugin\", or set \"plugins.default\"";
        return nullptr;
    }
    auto module = named(plan_.default_plugin);
    if (!module) {
        reason = "no plugin offers domain " + request.name + ", and the default plugin " + plan_.default_plugin +
                 " (key \"plugins.default\") is not in the plugin directory";
    }
    return module;
}

void Supervisor::add_defaults(std::map<std::string, Wanted> &result, std::map<std::string, std::string> &unserved) const {
    std::vector<std::pair<std::uint64_t, std::shared_ptr<const plugin::Module>>> ordered;
    for (const auto &[name, module] : modules_) {
        ordered.emplace_back(module_order_.at(name), module);
    }
    std::sort(ordered.begin(), ordered.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
    for (const auto &[order, module] : ordered) {
        const plugin::Description &about = module->description();
        for (const plugin::DomainDefaults &entry : about.domains) {
            if (entry.topics.empty()) {
                continue; // not to be served by itself: it lends its bindings to configured domains
            }
            const auto claimed = result.find(entry.name);
            if (claimed != result.end()) {
                const std::string &owner = claimed->second.spec.plugin;
                const bool configured = std::any_of(plan_.domains.begin(), plan_.domains.end(),
                                                    [&](const DomainRequest &request) { return request.name == entry.name; });
                if (owner != about.name && !configured) {
                    unserved[entry.name + " (" + about.name + ")"] =
                        "domain " + entry.name + " is claimed by two plugins, " + owner + " and " + about.name + "; " + owner +
                        " serves it. Remove one, or give each a domain with the key \"plugin\"";
                }
                continue;
            }
            if (unserved.contains(entry.name) || plan_.disabled.contains(entry.name)) {
                continue;
            }
            if (!plan_.defaults_refused.empty()) {
                unserved[entry.name] = plan_.defaults_refused;
                continue;
            }
            DomainRequest request;
            request.name = entry.name;
            request.options = plan_.default_options;
            DomainSpec spec;
            if (auto problem = resolve(request, about, process_id_, spec)) {
                unserved[entry.name] = *problem;
            } else {
                result[entry.name] = {std::move(spec), module};
            }
        }
    }
}

std::map<std::string, Supervisor::Wanted> Supervisor::wanted(std::map<std::string, std::string> &unserved) const {
    std::map<std::string, Wanted> result;
    for (const DomainRequest &request : plan_.domains) {
        std::string reason;
        const auto module = module_for(request, reason);
        DomainSpec spec;
        if (!module) {
            unserved[request.name] = reason;
        } else if (auto problem = resolve(request, module->description(), process_id_, spec)) {
            unserved[request.name] = *problem;
        } else {
            result[request.name] = {std::move(spec), module};
        }
    }
    if (plan_.plugin_defaults) {
        add_defaults(result, unserved);
    }
    // Two domains in one schema would share a ledger: an event that one has decided would be a duplicate for the other.
    std::map<std::string, std::string> schema_owner;
    for (auto entry = result.begin(); entry != result.end();) {
        const auto [owner, is_first] = schema_owner.try_emplace(entry->second.spec.schema, entry->first);
        if (is_first) {
            ++entry;
            continue;
        }
        unserved[entry->first] = "domains " + owner->second + " and " + entry->first + " name the same schema " + owner->first +
                                 "; give one of them another service.schema";
        entry = result.erase(entry);
    }
    if (environment_.routes) {
        drop_route_conflicts(result, unserved);
    }
    return result;
}

// Whether a domain that is served, and not as it is wanted now, is left as it is.
bool Supervisor::goes_on(const std::string &domain, const std::string &plugin, const std::map<std::string, std::string> &unserved) const {
    return unserved.contains(domain) && modules_.contains(plugin);
}

// Why a served domain can't be served as is wanted now, while its plugin is still there; empty where it can, or isn't wanted any more.
std::string Supervisor::misfit(const DomainWorker &worker, const std::map<std::string, Wanted> &all,
                               const std::map<std::string, std::string> &unserved) const {
    const DomainSpec &serving = worker.spec();
    if (const auto found = all.find(serving.name); found != all.end()) {
        const DomainSpec &spec = found->second.spec;
        std::string reason;
        const auto trial = plugin::Instance::create(found->second.module, spec.name, spec.schema, spec.settings_json, reason);
        return trial ? std::string() : "the plugin declined to start: " + reason;
    }
    return goes_on(serving.name, serving.plugin, unserved) ? unserved.at(serving.name) : std::string();
}

// Brings the workers in line with plan and plugins. The caller holds reconcile_mutex_. @return see apply
std::vector<std::string> Supervisor::reconcile() {
    std::vector<std::string> unfit;
    std::map<std::string, std::unique_ptr<DomainWorker>> leaving;
    std::map<std::string, Wanted> all;
    std::map<std::string, std::string> unserved;
    {
        const std::lock_guard lock(mutex_);
        if (paused_) {
            return {};
        }
        all = wanted(unserved);
        misfits_.clear();
        for (auto worker = workers_.begin(); worker != workers_.end();) {
            const auto found = all.find(worker->first);
            if (found != all.end() && !needs_restart(worker->second->spec(), found->second.spec)) {
                ++worker;
                continue;
            }
            // Where what was offered doesn't fit, and what serves is still wanted, it goes on.
            if (const std::string reason = misfit(*worker->second, all, unserved); !reason.empty()) {
                log::error("plugin.refused", "A change does not fit a domain that is served; what serves it goes on",
                           {{"domain", worker->first}, {"plugin", worker->second->spec().plugin}, {"reason", reason}});
                unfit.push_back(worker->first);
                misfits_[worker->first] = "a change doesn't fit, what serves goes on: " + reason;
                unserved.erase(worker->first);
                all.erase(worker->first);
                ++worker;
                continue;
            }
            serving_.erase(worker->first);
            leaving.emplace(worker->first, std::move(worker->second));
            worker = workers_.erase(worker);
        }
        for (const auto &[domain, reason] : unserved) {
            if (const auto known = unserved_.find(domain); known == unserved_.end() || known->second != reason) {
                unfit.push_back(domain);
                log::error("domain.unserved", "A domain is not served", {{"domain", domain}, {"reason", reason}});
            }
        }
        unserved_ = unserved;
    }
    end(std::move(leaving));
    const std::lock_guard lock(mutex_);
    for (auto &[domain, wanted] : all) {
        const auto worker = workers_.find(domain);
        if (worker == workers_.end()) {
            log::info("domain.starting", "Starting a domain",
                      {{"domain", domain}, {"plugin", wanted.spec.plugin}, {"schema", wanted.spec.schema}, {"group", wanted.spec.group}});
            workers_[domain] = std::make_unique<DomainWorker>(wanted.spec, wanted.module, environment_);
        } else if (serving_[domain] != wanted.module) {
            worker->second->offer(wanted.module);
        }
        serving_[domain] = wanted.module;
    }
    return unfit;
}

void Supervisor::end(std::map<std::string, std::unique_ptr<DomainWorker>> leaving) {
    for (auto &[domain, worker] : leaving) {
        log::info("domain.draining", "A domain drains and leaves", {{"domain", domain}});
        worker->request_stop();
    }
    for (auto &[domain, worker] : leaving) {
        worker->wait();
        const std::lock_guard lock(mutex_);
        DomainStatus last = worker->status();
        if (const auto before = ended_.find(domain); before != ended_.end()) {
            last.counts += before->second.counts;
        }
        ended_[domain] = last;
        log::info("domain.stopped", "A domain has stopped", {{"domain", domain}, {"messages", last.counts.messages}});
    }
}

std::map<std::string, std::shared_ptr<const WorkInHand>> Supervisor::work() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::shared_ptr<const WorkInHand>> all;
    for (const auto &[domain, worker] : workers_) {
        all.emplace(domain, worker->work());
    }
    return all;
}

/// What a domain that was served has left for. The caller holds mutex_.
std::string Supervisor::why_left(const DomainStatus &ended) const {
    if (plan_.disabled.contains(ended.name)) {
        return "its configuration switches it off (\"enabled\": false); its tables and its place in its topics stay";
    }
    if (!modules_.contains(ended.plugin)) {
        return "its plugin " + ended.plugin + " was taken out of the plugin directory; its tables and its place in its topics stay";
    }
    return {};
}

std::vector<DomainStatus> Supervisor::status() const {
    const std::lock_guard lock(mutex_);
    std::vector<DomainStatus> result;
    for (const auto &[domain, worker] : workers_) {
        result.push_back(worker->status());
        if (const auto misfit = misfits_.find(domain); misfit != misfits_.end()) {
            result.back().refused = misfit->second;
        }
        add_overdue_routes(result.back());
    }
    for (const auto &[domain, reason] : unserved_) {
        DomainStatus status;
        status.name = domain;
        status.phase = Phase::waiting;
        status.reason = reason;
        status.needs_change = true;
        result.push_back(std::move(status));
    }
    // A domain that was restarted goes on counting where its predecessor stopped.
    for (const auto &[domain, ended] : ended_) {
        const auto successor =
            std::find_if(result.begin(), result.end(), [&](const DomainStatus &status) { return status.name == ended.name; });
        if (successor == result.end()) {
            result.push_back(ended);
            if (std::string why = why_left(ended); !why.empty()) {
                result.back().reason = std::move(why);
            }
        } else {
            successor->counts += ended.counts;
        }
    }
    return result;
}

std::set<std::string> Supervisor::disabled() const {
    const std::lock_guard lock(mutex_);
    return plan_.disabled;
}

std::vector<DomainSpec> Supervisor::served() const {
    const std::lock_guard lock(mutex_);
    std::vector<DomainSpec> specs;
    for (const auto &[domain, worker] : workers_) {
        specs.push_back(worker->spec());
    }
    return specs;
}

bool Supervisor::drained() {
    const std::lock_guard lock(mutex_);
    const auto all_drained = [this] {
        return std::all_of(workers_.begin(), workers_.end(), [](const auto &entry) { return entry.second->drained(); });
    };
    // Twice: while the later ones were asked, one of them may have published to the topic of an earlier one.
    return unserved_.empty() && all_drained() && all_drained();
}

bool Supervisor::stop() {
    const std::lock_guard one(reconcile_mutex_);
    std::map<std::string, std::unique_ptr<DomainWorker>> leaving;
    {
        const std::lock_guard lock(mutex_);
        leaving.swap(workers_);
        serving_.clear();
    }
    end(std::move(leaving));
    return HandlerLanes::left_behind_in_process() == 0;
}

} // namespace weir::engine
