// SPDX-License-Identifier: Apache-2.0
#include "pool.hpp"

#include <algorithm>
#include <iterator>

namespace weir::store::postgresql {

Pool::Pool(const PostgresqlOptions &options) : options_(options) {}

std::unique_ptr<Connection> Pool::open() {
    try {
        auto connection = std::make_unique<Connection>(options_, watch_);
        const std::lock_guard lock(mutex_);
        ++counts_.opened;
        return connection;
    } catch (...) {
        {
            const std::lock_guard lock(mutex_);
            --counts_.in_use;
        }
        returned_.notify_one();
        throw;
    }
}

Pool::Lent Pool::take(std::uint64_t preferred) {
    const auto deadline = std::chrono::steady_clock::now() + options_.pool_timeout;
    Connections closed; // closed after the lock is left
    {
        std::unique_lock lock(mutex_);
        for (;;) {
            if (given_up_) {
                throw Unavailable("nothing waits for " + name() + " any more, because the process ends");
            }
            while (!idle_.empty()) {
                auto found = std::find_if(idle_.rbegin(), idle_.rend(), [&](const auto &one) { return one->number() == preferred; });
                const auto at = found == idle_.rend() ? idle_.begin() : found.base() - 1; // the oldest: others come back for theirs
                std::unique_ptr<Connection> taken = std::move(*at);
                idle_.erase(at);
                least_idle_ = std::min(least_idle_, idle_.size());
                if (taken->was_closed()) {
                    ++counts_.dropped;
                    closed.push_back(std::move(taken));
                    continue;
                }
                ++counts_.in_use;
                return {*this, std::move(taken)};
            }
            if (counts_.in_use < options_.pool_max) {
                ++counts_.in_use;
                break;
            }
            ++counts_.waiting;
            const bool came =
                returned_.wait_until(lock, deadline, [&] { return given_up_ || !idle_.empty() || counts_.in_use < options_.pool_max; });
            --counts_.waiting;
            if (!came) {
                throw Unavailable("all " + std::to_string(options_.pool_max) + " connections of " + name() + " were in use for " +
                                  std::to_string(options_.pool_timeout.count()) +
                                  " ms: raise store.pool.max, which has to be two for each " +
                                  "domain at least, or let fewer domains share this host");
            }
        }
    }
    return {*this, open()};
}

Pool::Lent Pool::take_fresh() {
    Connections closed;
    {
        std::unique_lock lock(mutex_);
        closed.swap(idle_);
        least_idle_ = 0;
        counts_.dropped += closed.size();
        if (counts_.in_use >= options_.pool_max) {
            lock.unlock();
            return take();
        }
        ++counts_.in_use;
    }
    return {*this, open()};
}

void Pool::Lent::give_back() noexcept {
    if (connection_) {
        pool_->give_back(std::move(connection_));
    }
}

void Pool::give_back(std::unique_ptr<Connection> connection) noexcept {
    const bool keeps = !connection->is_broken() && !connection->in_transaction();
    Connections closed;
    {
        const std::lock_guard lock(mutex_);
        --counts_.in_use;
        if (keeps) {
            connection->set_used();
            idle_.push_back(std::move(connection));
            closed = take_surplus();
        } else {
            ++counts_.dropped;
        }
    }
    returned_.notify_one();
    if (connection) {
        connection->set_broken(); // ends without a word
    }
}

// Whoever needs any connection takes the oldest idle one, so that in time each of them is used, however few are needed: what tells of a
// surplus is how many were idle all the time.
Pool::Connections Pool::take_surplus() noexcept {
    Connections surplus;
    const auto now = std::chrono::steady_clock::now();
    if (now - counted_since_ < options_.idle_limit) {
        return surplus;
    }
    const std::size_t all = idle_.size() + counts_.in_use;
    const std::size_t count = std::min(least_idle_, all - std::min(all, options_.pool_min)); // never the one that just came back
    const auto end = idle_.begin() + static_cast<std::ptrdiff_t>(count);
    surplus.assign(std::make_move_iterator(idle_.begin()), std::make_move_iterator(end));
    idle_.erase(idle_.begin(), end);
    least_idle_ = idle_.size();
    counted_since_ = now;
    return surplus;
}

void Pool::give_up() noexcept {
    {
        const std::lock_guard lock(mutex_);
        given_up_ = true;
    }
    returned_.notify_all();
    watch_.end_all();
}

PoolCounts Pool::counts() const {
    const std::lock_guard lock(mutex_);
    PoolCounts counts = counts_;
    counts.idle = idle_.size();
    return counts;
}

} // namespace weir::store::postgresql
