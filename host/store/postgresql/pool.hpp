// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

#include <condition_variable>
#include <mutex>

namespace weir::store::postgresql {

/**
 * The connections of one store. They are opened when they are needed, up to pool_max. Those beyond pool_min that nobody needed for a while
 * are closed again; it is looked for them when a connection comes back. Any of them serves any domain. Thread-safe; outlives what it lends.
 */
class Pool {
public:
    explicit Pool(const PostgresqlOptions &options);

    /// A connection that is lent, and goes back by itself: one that is broken or in a transaction is closed instead.
    class Lent {
    public:
        Lent() = default;
        Lent(Pool &pool, std::unique_ptr<Connection> connection) : pool_(&pool), connection_(std::move(connection)) {}
        Lent(Lent &&other) noexcept = default;
        Lent &operator=(Lent &&other) noexcept {
            give_back();
            pool_ = other.pool_;
            connection_ = std::move(other.connection_);
            return *this;
        }
        ~Lent() { give_back(); }
        Connection &operator*() const noexcept { return *connection_; }
        Connection *operator->() const noexcept { return connection_.get(); }
        explicit operator bool() const noexcept { return connection_ != nullptr; }
        void give_back() noexcept;

    private:
        Pool *pool_ = nullptr;
        std::unique_ptr<Connection> connection_;
    };

    /// Lends a connection: the one of this number where it is idle, so that its prepared statements are at hand, else the one that has been
    /// idle for longest.
    /// Throws Unavailable where none can be opened, or none comes back in time.
    Lent take(std::uint64_t preferred = 0);
    /// Lends a new connection, after one that came from the pool turned out to be broken: those beside it probably are, too.
    Lent take_fresh();

    /// Ends all calls on its connections, and everybody's wait for one; from now on everything throws Unavailable at once. A connection
    /// that is just being opened has connect_timeout yet.
    void give_up() noexcept;

    PoolCounts counts() const;
    const PostgresqlOptions &options() const noexcept { return options_; }
    ReplyWatch &watch() noexcept { return watch_; }
    /// For messages.
    std::string name() const { return "the store " + options_.name; }

private:
    using Connections = std::vector<std::unique_ptr<Connection>>;
    Connections take_surplus() noexcept;
    void give_back(std::unique_ptr<Connection> connection) noexcept;
    std::unique_ptr<Connection> open();

    const PostgresqlOptions options_;
    ReplyWatch watch_; // before the connections, which it watches
    mutable std::mutex mutex_;
    std::condition_variable returned_;
    Connections idle_;           ///< the one used last at the end
    std::size_t least_idle_ = 0; ///< since the moment below
    std::chrono::steady_clock::time_point counted_since_ = std::chrono::steady_clock::now();
    PoolCounts counts_;
    bool given_up_ = false;
};

} // namespace weir::store::postgresql
