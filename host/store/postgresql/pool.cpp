// SPDX-License-Identifier: Apache-2.0
#include "pool.hpp"

#include <algorithm>

namespace weir::store::postgresql {

namespace {

constexpr auto kIdleLongest = std::chrono::seconds(60); ///< beyond pool_min

} // namespace

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
    std::vector<Idle> closed; // closed after the lock is left
    {
        std::unique_lock lock(mutex_);
        for (;;) {
            if (given_up_) {
                throw Unavailable("nothing waits for " + name() + " any more, because the process ends");
            }
            while (!idle_.empty()) {
                auto found =
                    std::find_if(idle_.rbegin(), idle_.rend(), [&](const Idle &one) { return one.connection->number() == preferred; });
                const auto at = found == idle_.rend() ? idle_.begin() : found.base() - 1; // the oldest: others come back for theirs
                Idle taken = std::move(*at);
                idle_.erase(at);
                if (taken.connection->was_closed()) {
                    ++counts_.dropped;
                    closed.push_back(std::move(taken));
                    continue;
                }
                ++counts_.in_use;
                return {*this, std::move(taken.connection)};
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
    std::vector<Idle> closed;
    {
        std::unique_lock lock(mutex_);
        closed.swap(idle_);
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
    std::vector<Idle> closed;
    {
        const std::lock_guard lock(mutex_);
        --counts_.in_use;
        if (keeps) {
            connection->set_used();
            const auto now = std::chrono::steady_clock::now();
            idle_.push_back({std::move(connection), now});
            while (idle_.size() > options_.pool_min && idle_.size() > 1 && now - idle_.front().since > kIdleLongest) {
                closed.push_back(std::move(idle_.front()));
                idle_.erase(idle_.begin());
            }
        } else {
            ++counts_.dropped;
        }
    }
    returned_.notify_one();
    if (connection) {
        connection->set_broken(); // ends without a word
    }
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
