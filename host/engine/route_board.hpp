// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/retirement.hpp"
#include "engine/route_service.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace weir::engine {

/// Which domains have routes at the moment, and who answers them. Domains put their services here; the HTTP server's tables are made from
/// it. Thread-safe.
class RouteBoard {
public:
    /// Takes a domain's service; the one before leaves when its last request is answered.
    void serve(const std::shared_ptr<RouteService> &service);
    /// The domain is not served any more: what its routes still have to publish has two seconds.
    void withdraw(const std::string &domain);

    /// By domain.
    std::map<std::string, std::shared_ptr<RouteService>> services() const;

    /// A route of a service.
    struct Entry {
        std::shared_ptr<RouteService> service;
        const plugin::Route *route = nullptr; ///< the service's own
        std::string shape;                    ///< `plugin::route_shape` of it
        std::string answers;                  ///< the domain whose route answers what this one matches: this one's or another's
        bool is_answered = false;             ///< it is this one's
    };
    /// All routes of all domains, by domain. Of plugins whose routes match the same requests, the one that answered them before goes on; of
    /// domains of one plugin the first by name answers.
    std::vector<Entry> entries() const;

    /// A domain's; null: it has none.
    std::shared_ptr<RouteService> service(const std::string &domain) const;

    /// Where services, and what keeps them, are taken apart. When all that was handed out is gone, no thread of a route is left.
    const Retirement &retirement() const { return retirement_; }

    /// Called after every change, on the thread that made it; one at a time. Setting it calls it once.
    void on_change(std::function<void()> call);

private:
    void settle();
    void tell();

    Retirement retirement_; // first: goes last
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<RouteService>> services_;
    std::map<std::string, std::string> owners_; // by a route's shape: the plugin that answers it
    std::mutex telling_;                        // taken before `mutex_`
    std::function<void()> call_;
};

} // namespace weir::engine
