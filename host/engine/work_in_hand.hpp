// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"

#include <atomic>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace weir::engine {

/**
 * What a domain has to do on this host, as it is now, whatever its thread waits for: so that whoever watches sees work that stands still.
 * All functions are thread-safe.
 */
class WorkInHand {
public:
    /// Events in memory that wait for nothing but their batch, or are in it: not for a retry, nor behind one. One may count twice while it
    /// is handed on.
    std::size_t events() const noexcept { return read_ + dealt_; }

    /// An ordered domain's partitions that this host reads, and no other.
    std::vector<broker::Partition> leased() const {
        const std::lock_guard lock(mutex_);
        return leased_;
    }

    // The domain says so.
    void read(std::size_t events) noexcept { read_ = events; }   ///< and not dealt out yet
    void dealt(std::size_t events) noexcept { dealt_ = events; } ///< to shards, up to their commit
    void lease(std::vector<broker::Partition> partitions) {
        const std::lock_guard lock(mutex_);
        leased_ = std::move(partitions);
    }

private:
    std::atomic<std::size_t> read_{0};
    std::atomic<std::size_t> dealt_{0};
    mutable std::mutex mutex_;
    std::vector<broker::Partition> leased_;
};

} // namespace weir::engine
