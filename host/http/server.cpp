// SPDX-License-Identifier: Apache-2.0
#include "http/server.hpp"

#include "http/acceptor.hpp"
#include "http/connection.hpp"
#include "http/loop.hpp"

#include <algorithm>
#include <condition_variable>
#include <utility>

namespace weir::http {

class Server::Implementation {
public:
    struct Place {
        const std::string name;
        std::shared_ptr<Listener> listener;
        std::shared_ptr<Acceptor> acceptor; ///< null before `start`
    };

    explicit Implementation(ServerOptions given) : options_(std::move(given)), shared_(std::make_shared<Shared>(options_)) {
        for (const ListenerOptions &one : options_.listeners) {
            places_.push_back({one.name, std::make_shared<Listener>(one, options_.limits), nullptr});
        }
        for (unsigned count = 0; count < std::max(options_.io_threads, 1u); ++count) {
            loops_.push_back(std::make_shared<Loop>(shared_));
        }
    }
    ~Implementation() { stop(std::chrono::milliseconds(0)); }

    Place &place(std::string_view name) {
        const auto found = std::find_if(places_.begin(), places_.end(), [&](const Place &one) { return one.name == name; });
        if (found == places_.end()) {
            throw std::logic_error("the HTTP server has no listener named " + std::string(name));
        }
        return *found;
    }

    void set_routes(std::string_view name, const std::shared_ptr<const Routes> &routes) {
        const std::shared_ptr<Listener> listener = place(name).listener;
        listener->set_routes(routes);
        for (const auto &loop : loops_) {
            loop->post([listener, routes, raw = loop.get()] {
                raw->each([&](Connection &connection) { connection.routes_changed(*listener, routes.get()); });
            });
        }
    }

    void start() {
        std::vector<std::shared_ptr<Acceptor>> acceptors;
        for (const Place &one : places_) { // all or none
            acceptors.push_back(std::make_shared<Acceptor>(loops_, one.listener, *one.listener->now().options, options_));
        }
        for (const auto &loop : loops_) {
            loop->start();
        }
        for (std::size_t index = 0; index < places_.size(); ++index) {
            places_[index].acceptor = acceptors[index];
            loops_.front()->post([acceptor = acceptors[index]] { acceptor->accept(); });
        }
        started_ = true;
    }

    bool stop(std::chrono::milliseconds time) {
        if (!std::exchange(started_, false)) {
            shared_->workers.stop(WorkerPool::Clock::time_point::min());
            shared_->reserve.stop(WorkerPool::Clock::time_point::min());
            return true;
        }
        const auto deadline = WorkerPool::Clock::now() + time;
        shared_->draining = true;
        for (const Place &one : places_) {
            loops_.front()->post([acceptor = one.acceptor] { acceptor->close(); });
        }
        for (const auto &loop : loops_) {
            loop->post([raw = loop.get()] { raw->each([](Connection &connection) { connection.drain(); }); });
        }
        const bool drained = wait_for_connections(deadline);
        for (const auto &loop : loops_) {
            loop->stop();
        }
        const auto in_time = [&] { return time.count() == 0 ? WorkerPool::Clock::time_point::min() : deadline; };
        const bool idle = shared_->workers.stop(in_time());
        return shared_->reserve.stop(in_time()) && idle && drained;
    }

    ServerOptions options_;
    std::shared_ptr<Shared> shared_;
    std::vector<std::shared_ptr<Loop>> loops_;
    std::vector<Place> places_;
    bool started_ = false;

private:
    bool wait_for_connections(WorkerPool::Clock::time_point deadline) {
        std::unique_lock lock(shared_->mutex);
        return shared_->left.wait_until(lock, deadline, [this] { return shared_->connections.load() == 0; });
    }
};

Server::Server(ServerOptions options) : implementation_(std::make_unique<Implementation>(std::move(options))) {}
Server::~Server() = default;

void Server::set_routes(std::string_view listener, std::shared_ptr<const Routes> routes) { implementation_->set_routes(listener, routes); }

void Server::start() { implementation_->start(); }

bool Server::stop(std::chrono::milliseconds deadline) { return implementation_->stop(deadline); }

std::uint16_t Server::port(std::string_view listener) const {
    const auto &acceptor = implementation_->place(listener).acceptor;
    return acceptor ? acceptor->port() : std::uint16_t(0);
}

void Server::reconfigure(const Limits &limits, const std::vector<ListenerOptions> &listeners) {
    const auto shared_limits = std::make_shared<const Limits>(limits);
    for (const Implementation::Place &place : implementation_->places_) { // domains look for theirs meanwhile, to set routes
        const auto changed =
            std::find_if(listeners.begin(), listeners.end(), [&](const ListenerOptions &one) { return one.name == place.name; });
        place.listener->reconfigure(
            changed != listeners.end() ? std::make_shared<const ListenerOptions>(*changed) : place.listener->now().options, shared_limits);
    }
    implementation_->shared_->workers.limit_queue(limits.max_queue);
    implementation_->shared_->reserve.limit_queue(limits.max_queue);
}

Statistics Server::statistics() const {
    const Shared &shared = *implementation_->shared_;
    Statistics now;
    now.connections = shared.connections;
    now.streams = shared.streams;
    now.body_bytes = shared.body_bytes;
    now.queued = shared.workers.queued() + shared.reserve.queued();
    now.running = shared.workers.running() + shared.reserve.running();
    now.accepted = shared.accepted;
    now.refused = shared.refused;
    now.requests = shared.requests;
    return now;
}

} // namespace weir::http
