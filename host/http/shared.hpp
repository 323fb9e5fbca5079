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
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> requests{0};

    /// Counts a connection of the address; false, and not counted, where there are `most` already (0: any number).
    bool enter(const std::string &address, std::size_t most) {
        const std::lock_guard lock(mutex);
        std::size_t &count = by_address_[address];
        if (most != 0 && count >= most) {
            return false;
        }
        ++count;
        return true;
    }
    void leave(const std::string &address) {
        const std::lock_guard lock(mutex);
        const auto entry = by_address_.find(address);
        if (entry != by_address_.end() && --entry->second == 0) {
            by_address_.erase(entry);
        }
        --connections;
        left.notify_all();
    }

    std::mutex mutex;
    std::condition_variable left; ///< a connection has ended

private:
    std::map<std::string, std::size_t> by_address_;
};

} // namespace weir::http
