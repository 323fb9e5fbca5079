// SPDX-License-Identifier: Apache-2.0
#include "take_over.hpp"
#include "http_service.hpp"
#include "plan.hpp"

#include "engine/supervisor.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

namespace weir::cli {

namespace {

// Brokers are opened at the start: a domain whose url has changed goes on with the one that it had.
void keep_brokers(const config::HostConfig &running, config::HostConfig &next) {
    const auto open = [&](const std::string &url) {
        return url == running.broker_url ||
               std::any_of(running.domains.begin(), running.domains.end(),
                           [&](const config::DomainConfig &domain) { return domain.enabled && domain.broker_url == url; });
    };
    for (config::DomainConfig &domain : next.domains) {
        const auto before = std::find_if(running.domains.begin(), running.domains.end(),
                                         [&](const config::DomainConfig &other) { return other.name == domain.name; });
        const std::string &kept = before != running.domains.end() && open(before->broker_url) ? before->broker_url : running.broker_url;
        if (domain.enabled && !open(domain.broker_url)) {
            log::warn("config.needs_restart", "This key is taken over at the next start; the other changes are taken over now",
                      {{"key", "domains." + domain.name + ".redis.url"}});
            domain.broker_url = kept;
            domain.enabled = !kept.empty();
        }
    }
    next.broker_url = running.broker_url;
}

void put_in_force(engine::Supervisor &supervisor, HttpService &http, const config::HostConfig &running, const config::Loaded &changed) {
    config::HostConfig next = changed.config;
    const std::array<std::pair<const char *, bool>, 7> fixed{
        {{"broker.url", next.broker_url != running.broker_url},
         {"store.url", next.store_url != running.store_url},
         {"plugins.directory", next.plugins_directory != running.plugins_directory},
         {"state_directory", next.state_directory != running.state_directory},
         {"plugins.poll_interval_ms", next.plugins_poll_ms != running.plugins_poll_ms},
         {"plugins.inotify", next.plugins_inotify != running.plugins_inotify},
         {"contracts_directory", next.contracts_directory != running.contracts_directory}}};
    for (const auto &[key, differs] : fixed) {
        if (differs) {
            log::warn("config.needs_restart", "This key is taken over at the next start; the other changes are taken over now",
                      {{"key", key}});
        }
    }
    keep_brokers(running, next);
    log::Level level{};
    if (log::parse_level(next.log_level, level)) {
        configure_log(next);
    }
    http.take_over(next.http);
    std::string unfit;
    for (const std::string &domain : supervisor.apply(plan_of(next))) {
        unfit += (unfit.empty() ? "" : ", ") + domain;
    }
    if (unfit.empty()) {
        log::info("config.taken_over", "The changed configuration is in force",
                  {{"file", next.file.string()}, {"domains", next.domains.size()}});
    } else {
        log::warn("config.partly_taken_over", "The changed configuration is in force, but for domains that it doesn't fit",
                  {{"file", next.file.string()}, {"without", unfit}});
    }
}

} // namespace

std::vector<config::Problem> take_over(engine::Supervisor &supervisor, HttpService &http, const config::HostConfig &running,
                                       const config::Loaded &changed) {
    for (const config::Problem &problem : changed.problems) {
        log::error("config.refused", "The changed configuration is wrong; the old one stays",
                   {{"where", problem.where}, {"reason", problem.what}});
    }
    if (!changed.problems.empty()) {
        return changed.problems;
    }
    try {
        put_in_force(supervisor, http, running, changed);
        return {};
    } catch (const std::exception &failure) {
        log::error("config.refused", "The changed configuration could not be taken over",
                   {{"where", running.file.string()}, {"reason", failure.what()}});
        return {{running.file.string(), failure.what()}};
    }
}

void RefusedConfiguration::set(std::vector<config::Problem> problems) {
    const std::lock_guard lock(mutex_);
    problems_ = std::move(problems);
}

std::vector<config::Problem> RefusedConfiguration::now() const {
    const std::lock_guard lock(mutex_);
    return problems_;
}

} // namespace weir::cli
