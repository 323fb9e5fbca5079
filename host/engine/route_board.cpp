// SPDX-License-Identifier: Apache-2.0
#include "engine/route_board.hpp"

namespace weir::engine {

void RouteBoard::serve(const std::shared_ptr<RouteService> &service) {
    {
        const std::lock_guard lock(mutex_);
        services_[service->spec().name] = service;
    }
    tell();
}

void RouteBoard::withdraw(const std::string &domain) {
    {
        const std::lock_guard lock(mutex_);
        if (services_.erase(domain) == 0) {
            return;
        }
    }
    tell();
}

std::map<std::string, std::shared_ptr<RouteService>> RouteBoard::services() const {
    const std::lock_guard lock(mutex_);
    return services_;
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
