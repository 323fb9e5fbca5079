// SPDX-License-Identifier: Apache-2.0
#include "engine/route_board.hpp"

namespace weir::engine {

namespace {

constexpr auto kToPublish = std::chrono::seconds(2); // a broker that answers takes thousands of messages a second

} // namespace

void RouteBoard::serve(const std::shared_ptr<RouteService> &service) {
    {
        const std::lock_guard lock(mutex_);
        services_[service->spec().name] = service;
    }
    tell();
}

void RouteBoard::withdraw(const std::string &domain) {
    std::shared_ptr<RouteService> leaving;
    {
        const std::lock_guard lock(mutex_);
        const auto found = services_.find(domain);
        if (found == services_.end()) {
            return;
        }
        leaving = std::move(found->second);
        services_.erase(found);
    }
    tell();
    leaving->end_by(std::chrono::steady_clock::now() + kToPublish);
}

std::map<std::string, std::shared_ptr<RouteService>> RouteBoard::services() const {
    const std::lock_guard lock(mutex_);
    return services_;
}

std::shared_ptr<RouteService> RouteBoard::service(const std::string &domain) const {
    const std::lock_guard lock(mutex_);
    const auto found = services_.find(domain);
    return found == services_.end() ? nullptr : found->second;
}

void RouteBoard::on_change(std::function<void()> call) {
    {
        const std::lock_guard lock(telling_);
        call_ = std::move(call);
    }
    tell();
}

void RouteBoard::tell() {
    const std::lock_guard lock(telling_);
    if (call_) {
        call_();
    }
}

} // namespace weir::engine
