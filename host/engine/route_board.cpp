// SPDX-License-Identifier: Apache-2.0
#include "engine/route_board.hpp"

#include <set>

namespace weir::engine {

namespace {

constexpr auto kToPublish = std::chrono::seconds(2); // a broker that answers takes thousands of messages a second

} // namespace

void RouteBoard::serve(const std::shared_ptr<RouteService> &service) {
    {
        const std::lock_guard lock(mutex_);
        services_[service->spec().name] = service;
        settle();
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
        settle();
    }
    tell();
    leaving->end_by(std::chrono::steady_clock::now() + kToPublish);
}

std::map<std::string, std::shared_ptr<RouteService>> RouteBoard::services() const {
    const std::lock_guard lock(mutex_);
    return services_;
}

std::vector<RouteBoard::Entry> RouteBoard::entries() const {
    const std::lock_guard lock(mutex_);
    std::vector<Entry> entries;
    std::map<std::string, std::string> answers; // by shape
    for (const auto &[domain, service] : services_) {
        for (const plugin::Route &route : service->routes()) {
            Entry &entry = entries.emplace_back(Entry{service, &route, plugin::route_shape(route.method, route.path), "", false});
            if (owners_.at(entry.shape) == service->spec().plugin) {
                entry.is_answered = answers.try_emplace(entry.shape, domain).second;
            }
        }
    }
    for (Entry &entry : entries) {
        entry.answers = answers.at(entry.shape);
    }
    return entries;
}

/// With the mutex held, after a change.
void RouteBoard::settle() {
    std::map<std::string, std::set<std::string>> plugins; // by shape
    for (const auto &[domain, service] : services_) {
        for (const plugin::Route &route : service->routes()) {
            plugins[plugin::route_shape(route.method, route.path)].insert(service->spec().plugin);
        }
    }
    std::erase_if(owners_, [&](const auto &entry) {
        const auto found = plugins.find(entry.first);
        return found == plugins.end() || !found->second.contains(entry.second);
    });
    for (const auto &[shape, names] : plugins) {
        owners_.try_emplace(shape, *names.begin());
    }
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
