// SPDX-License-Identifier: Apache-2.0
#include "engine/route_transaction.hpp"

namespace weir::engine {

namespace {

constexpr std::size_t kIdleSessions = 4;

} // namespace

void RouteSessions::begin(std::shared_ptr<store::DomainStore> store) {
    std::vector<std::unique_ptr<store::Session>> gone;
    const std::lock_guard lock(mutex_);
    gone.swap(idle_);
    store_.swap(store); // the one before goes when the lock has been left
}

std::unique_ptr<store::Session> RouteSessions::open() {
    std::shared_ptr<store::DomainStore> store;
    {
        const std::lock_guard lock(mutex_);
        store = store_;
    }
    if (!store) {
        throw store::Unavailable("the domain has not reached its tables so far");
    }
    return store->open();
}

std::unique_ptr<store::Session> RouteSessions::take() {
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            auto session = std::move(idle_.back());
            idle_.pop_back();
            return session;
        }
    }
    return open();
}

void RouteSessions::give_back(std::unique_ptr<store::Session> session) {
    away_ = false;
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleSessions) {
        idle_.push_back(std::move(session));
    }
}

bool RouteSessions::forget() {
    std::vector<std::unique_ptr<store::Session>> gone;
    const std::lock_guard lock(mutex_);
    gone.swap(idle_);
    return !away_.exchange(true);
}

RouteTransaction::~RouteTransaction() {
    if (session_ && !broken_) {
        rollback();
        sessions_.give_back(std::move(session_));
    }
}

store::Session &RouteTransaction::session() {
    if (!session_) {
        session_ = sessions_.take();
    }
    return *session_;
}

store::Session &RouteTransaction::begun() {
    if (!open_) {
        session().begin({});
        open_ = true;
    }
    return *session_;
}

store::Session &RouteTransaction::reading() {
    if (!open_) {
        session().begin_reading();
        open_ = true;
    }
    return *session_;
}

void RouteTransaction::commit() {
    broken_ = true; // unless it comes back
    session_->commit();
    broken_ = open_ = false;
}

void RouteTransaction::rollback() {
    if (open_) {
        session_->rollback();
        open_ = false;
    }
}

} // namespace weir::engine
