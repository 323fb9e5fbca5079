// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "place.hpp"

#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace weir::store::postgresql {

/**
 * Shows that this process's holders of leases live: a connection of its own holds an advisory lock for each, which the server frees as soon
 * as the connection ends, however the process ended. A standby that can have the lock needn't wait for the lease to expire. Correctness
 * never hangs on it: epochs fence. Thread-safe.
 */
class Presence {
public:
    explicit Presence(Pool &pool) : pool_(pool) {}

    /// Shows that a holder lives, from now on. Repeating is cheap, and mends it after the connection was lost. Throws Unavailable.
    void keep_alive(const Place &place, const std::string &holder);

    /// Whether nobody shows that a holder lives. Asks on the connection given, in its transaction.
    static bool is_gone(Connection &connection, const Place &place, const std::string &holder);

private:
    Pool &pool_;
    std::mutex mutex_;
    std::unique_ptr<Connection> connection_;
    std::set<std::int64_t> held_;
};

} // namespace weir::store::postgresql
