// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/server.hpp"
#include "http/worker_pool.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace weir::http {

/// What the connections of a server have in common. Thread-safe.
struct Shared {
    explicit Shared(const ServerOptions &options)
        : observe(options.observe), failed(options.failed), workers(options.workers, options.limits.max_queue),
          reserve(options.reserve_workers, options.limits.max_queue) {}

    const std::function<void(const Served &)> observe;
    const std::function<void(std::string_view, std::string_view)> failed;
    WorkerPool workers;
    WorkerPool reserve;

    std::atomic<bool> draining{false};
    std::atomic<std::size_t> connections{0};
    std::atomic<std::size_t> streams{0};
    std::atomic<std::size_t> body_bytes{0}; ///< see BodyLease
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> requests{0};

    enum class Entry : std::uint8_t { taken, full, share_full };

    /// Counts a connection; not where there are as many as the limits allow, of all clients or of this one.
    Entry enter(const std::string &share, const Limits &limits) {
        const std::lock_guard lock(mutex);
        if (bounded_ >= limits.max_connections) {
            return Entry::full;
        }
        const auto entry = by_share_.try_emplace(share, 0).first;
        if (limits.max_connections_per_address != 0 && entry->second >= limits.max_connections_per_address) {
            return Entry::share_full; // never at zero, which would have to be taken away again
        }
        ++entry->second;
        ++bounded_;
        ++connections;
        return Entry::taken;
    }
    /// One of a listener's reserve, beyond the limits.
    void enter_reserve() { ++connections; }

    /// @param share empty: one of a reserve
    void leave(const std::string &share) {
        const std::lock_guard lock(mutex);
        if (const auto entry = by_share_.find(share); entry != by_share_.end()) {
            --bounded_;
            if (--entry->second == 0) {
                by_share_.erase(entry);
            }
        }
        --connections;
        left.notify_all();
    }

    std::mutex mutex;
    std::condition_variable left; ///< a connection has ended

private:
    std::map<std::string, std::size_t> by_share_; ///< by `share_of` addresses
    std::size_t bounded_ = 0;                     ///< connections that count for Limits::max_connections
};

} // namespace weir::http
