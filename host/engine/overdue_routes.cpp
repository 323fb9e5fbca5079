// SPDX-License-Identifier: Apache-2.0
#include "engine/overdue_routes.hpp"

#include "engine/route_failure.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace weir::engine {

namespace {

/// By domain and route.
struct Tally {
    std::mutex mutex;
    std::map<std::pair<std::string, std::string>, int> left;

    void add(const std::string &domain, const std::string &route, int count) {
        const std::lock_guard lock(mutex);
        const auto found = left.try_emplace({domain, route}, 0).first;
        found->second += count;
        if (found->second == 0) {
            left.erase(found);
        }
    }
    /// @param domain empty: all
    int of(const std::string &domain = {}) {
        const std::lock_guard lock(mutex);
        return std::accumulate(left.begin(), left.end(), 0, [&](int sum, const auto &entry) {
            return sum + (domain.empty() || entry.first.first == domain ? entry.second : 0);
        });
    }
};

/// Never taken down: handlers may return while the process ends.
Tally &tally() {
    static Tally *const all = new Tally;
    return *all;
}

} // namespace

OverdueRoutes::OverdueRoutes(const DomainSpec &spec, const plugin::Module &module)
    : spec_(spec), plugin_label_(module.description().name + " " + module.description().version + ", generation " +
                                 std::to_string(module.generation())) {}

void OverdueRoutes::left_behind(const std::string &route) {
    tally().add(spec_.name, route, 1);
    bool is_news = false;
    bool is_full = false;
    int count = 0;
    {
        const std::lock_guard lock(mutex_);
        count = ++count_;
        ++overdue_[route];
        is_news = told_.insert(route).second;
        is_full = full_now() && !std::exchange(told_full_, true);
    }
    if (is_news) {
        log::warn(
            "route.overdue",
            "A request to a route is past handler_budget_ms and goes on alone; its client has a 504, and what it comes to is dropped",
            {{"domain", spec_.name}, {"route", route}, {"plugin", plugin_label_}, {"budget_ms", spec_.options.handler_budget.count()}});
    }
    if (is_full) {
        log::error("route.all_overdue",
                   "No further request to the domain's routes is begun until one returns: replace the plugin, or raise handler_budget_ms "
                   "where it only needs longer",
                   {{"domain", spec_.name}, {"route", route}, {"plugin", plugin_label_}, {"overdue", count}});
    }
}

void OverdueRoutes::returned(const std::string &route) {
    tally().add(spec_.name, route, -1);
    const std::lock_guard lock(mutex_);
    --count_;
    const auto found = overdue_.try_emplace(route, 0).first;
    if (--found->second == 0) {
        overdue_.erase(found);
    }
    told_full_ = told_full_ && full_now();
}

/// With the mutex held.
bool OverdueRoutes::full_now() const {
    if (count_ <= 0) {
        return tally().of() >= kMostLeftInProcess && tally().of(spec_.name) > 0;
    }
    return static_cast<std::size_t>(count_) >= spec_.options.max_overdue_handlers || tally().of() >= kMostLeftInProcess;
}

std::size_t OverdueRoutes::count() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::max(count_, 0));
}

bool OverdueRoutes::full() const {
    const std::lock_guard lock(mutex_);
    return full_now();
}

RouteAnswer OverdueRoutes::refusal() const {
    return try_again("routes_overdue", "as many requests to the routes of domain " + spec_.name +
                                           " as may be left behind are past their time and have not returned; the host's operator has to "
                                           "replace plugin " +
                                           spec_.plugin);
}

std::string OverdueRoutes::reason() const {
    const std::lock_guard lock(mutex_);
    const bool is_full = full_now();
    if (count_ <= 0 && !is_full) {
        return {};
    }
    std::string routes;
    for (const auto &[route, count] : overdue_) {
        if (count > 0) {
            routes += (routes.empty() ? "" : ", ") + route;
        }
    }
    return std::to_string(std::max(count_, 0)) + (count_ == 1 ? " request" : " requests") +
           " to routes have not returned within handler_budget_ms and still run" + (routes.empty() ? "" : " (" + routes + ")") +
           (is_full ? ", and its routes answer 503: no more may be left behind" : "") +
           "; replace the plugin, or raise handler_budget_ms where it only needs longer";
}

std::vector<OverdueRoutes::Left> OverdueRoutes::left_in_process() {
    const std::lock_guard lock(tally().mutex);
    std::vector<Left> all;
    for (const auto &[place, count] : tally().left) {
        if (count > 0) {
            all.push_back({place.first, place.second, count});
        }
    }
    return all;
}

} // namespace weir::engine
