// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/route_service.hpp"

#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace weir::engine {

/**
 * The requests to the routes of one domain and generation that are past `handler_budget_ms` and still run, each on a thread that it keeps.
 * So many are left behind and replaced; then the routes are refused until one returns or another generation comes, which begins anew. Those
 * of the whole process are bounded as well: at that bound, no domain may have more than one. Thread-safe.
 */
class OverdueRoutes {
public:
    /// @param spec outlives this
    OverdueRoutes(const DomainSpec &spec, const plugin::Module &module);

    /// A handler of `route` ("GET /path") is left behind. Said in the log, once a route.
    void left_behind(const std::string &route);
    /// One of these has returned.
    void returned(const std::string &route);

    std::size_t count() const;
    /// Whether no further handler may begin.
    bool full() const;
    /// What requests are answered with then.
    RouteAnswer refusal() const;
    /// What is overdue, and what to do; empty where nothing is.
    std::string reason() const;

    /// Handlers of routes that were left behind and still run.
    struct Left {
        std::string domain;
        std::string route;
        int count = 0;
    };
    /// Of the whole process, those of generations and domains that are gone included.
    static std::vector<Left> left_in_process();

    static constexpr int kMostLeftInProcess = 64;

private:
    bool full_now() const;

    const DomainSpec &spec_;
    const std::string plugin_label_;
    mutable std::mutex mutex_;
    int count_ = 0;                      // may be -1 for a moment: see http::HandlerWatch::left_behind
    std::map<std::string, int> overdue_; // by route
    std::set<std::string> told_;         // routes
    bool told_full_ = false;
};

} // namespace weir::engine
