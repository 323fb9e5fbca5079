// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/server.hpp"
#include "http/shares.hpp"
#include "http/worker_pool.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

namespace weir::http {

/// What the connections of a server have in common. Thread-safe.
struct Shared {
    explicit Shared(const ServerOptions &options)
        : observe(options.observe), failed(options.failed), streams_full(options.streams_full),
          workers(options.workers, options.limits.max_queue), reserve(options.reserve_workers, options.limits.max_queue) {}

    const std::function<void(const Served &)> observe;
    const std::function<void(std::string_view, std::string_view)> failed;
    const std::function<void(std::string_view, std::string_view)> streams_full;
    WorkerPool workers;
    WorkerPool reserve;

    std::atomic<bool> draining{false};
    std::atomic<std::size_t> connections{0};
    std::atomic<std::size_t> streams{0};
    std::atomic<std::size_t> body_bytes{0}; ///< see BodyLease
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> requests{0};

    /// Counts a connection; not where there are as many as the limits allow, of all clients or of this one.
    Shares::Entry enter(const std::string &share, const Limits &limits) {
        const std::lock_guard lock(mutex);
        const Shares::Entry entry = bounded_.enter(share, limits.max_connections, limits.max_connections_per_address).entry;
        connections += entry == Shares::Entry::taken ? 1 : 0;
        return entry;
    }
    /// One of a listener's reserve, beyond the limits.
    void enter_reserve() { ++connections; }

    /// @param share empty: one of a reserve
    void leave(const std::string &share) {
        const std::lock_guard lock(mutex);
        bounded_.leave(share);
        --connections;
        left.notify_all();
    }

    /// Counts an event stream; see StreamLease.
    Shares::Entered enter_stream(const std::string &share, const Limits &limits) {
        const std::lock_guard lock(mutex);
        return streaming_.enter(share, limits.max_event_streams, limits.max_event_streams_per_address);
    }
    void leave_stream(const std::string &share) {
        const std::lock_guard lock(mutex);
        streaming_.leave(share);
    }

    std::mutex mutex;
    std::condition_variable left; ///< a connection has ended

private:
    Shares bounded_;   ///< connections that count for Limits::max_connections
    Shares streaming_; ///< event streams, from their requests on
};

} // namespace weir::http
