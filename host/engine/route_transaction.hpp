// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace weir::engine {

/// The sessions that a domain's routes work with, a few of them kept open. Thread-safe.
class RouteSessions {
public:
    /// From now on there are sessions, of this store.
    void begin(std::shared_ptr<store::DomainStore> store);

    /// A session of the caller's own. Throws Unavailable before `begin`.
    std::unique_ptr<store::Session> open();
    std::unique_ptr<store::Session> take();
    void give_back(std::unique_ptr<store::Session> session);
    /// One session met an outage: those that lie idle will as well. @return whether that is news: none has since one worked
    bool forget();

private:
    std::atomic<bool> away_{false};
    std::mutex mutex_;
    std::shared_ptr<store::DomainStore> store_; // null before `begin`
    std::vector<std::unique_ptr<store::Session>> idle_;
};

/// A session while a request needs one, with a transaction from `begun` on. Rolled back where it isn't committed. One thread.
class RouteTransaction {
public:
    /// @param sessions outlives this
    explicit RouteTransaction(RouteSessions &sessions) : sessions_(sessions) {}
    ~RouteTransaction();
    RouteTransaction(const RouteTransaction &) = delete;
    RouteTransaction &operator=(const RouteTransaction &) = delete;

    /// Within the transaction, which begins where it hasn't.
    store::Session &begun();
    /// The same for one that only reads: all that it reads was committed when it first did.
    store::Session &reading();
    void commit();
    void rollback();
    /// What it met leaves the session unusable.
    void give_up() { broken_ = true; }

private:
    store::Session &session();

    RouteSessions &sessions_;
    std::unique_ptr<store::Session> session_;
    bool open_ = false;
    bool broken_ = false;
};

} // namespace weir::engine
