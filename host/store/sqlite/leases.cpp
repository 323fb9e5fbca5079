// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

namespace weir::store::sqlite {

namespace {

event::Micros micros(std::chrono::milliseconds duration) { return std::chrono::duration_cast<std::chrono::microseconds>(duration).count(); }

struct Stored {
    std::int64_t epoch = 0;
    std::string holder; ///< empty: nobody
    event::Micros expires_at = 0;
};

std::optional<Stored> read_lease(Connection &connection, const std::string &topic, std::uint32_t partition) {
    std::optional<Stored> stored;
    connection.guard([&] {
        connection
            .query("select epoch, holder, expires_at from " + connection.qualified("lease") + " where topic = ? and partition = ?",
                   {Storage::text, Storage::integer}, {Storage::integer, Storage::text, Storage::time})
            .text(0, topic)
            .integer(1, partition)
            .each([&](Query &row) {
                stored = Stored{row.take_integer(0), row.take_text(1), row.take_time(2)};
            });
    });
    return stored;
}

} // namespace

bool SqliteSession::holds(const Lease &lease) {
    const auto stored = read_lease(connection_, lease.topic, lease.partition);
    return stored && stored->epoch == lease.epoch && stored->holder == lease.holder;
}

std::optional<Lease> SqliteSession::acquire_lease(const std::string &topic, std::uint32_t partition, const std::string &holder,
                                                  std::chrono::milliseconds time_to_live) {
    holders_->keep_alive(holder);
    auto lease = connection_.within_transaction([&]() -> std::optional<Lease> {
        const auto stored = read_lease(connection_, topic, partition);
        const event::Micros now = event::now();
        Lease taken{topic, partition, stored ? stored->epoch : 0, holder};
        if (!stored || stored->holder != holder) {
            if (stored && !stored->holder.empty() && stored->expires_at > now && !holders_->is_gone(stored->holder)) {
                return std::nullopt;
            }
            ++taken.epoch;
        }
        connection_.guard([&] {
            connection_
                .query("insert into " + connection_.qualified("lease") +
                           " (topic, partition, epoch, holder, expires_at) values (?, ?, ?, ?, ?) on conflict (topic, partition) do update "
                           "set epoch = excluded.epoch, "
                           "holder = excluded.holder, expires_at = excluded.expires_at",
                       {Storage::text, Storage::integer, Storage::integer, Storage::text, Storage::time}, {})
                .text(0, topic)
                .integer(1, partition)
                .integer(2, taken.epoch)
                .text(3, holder)
                .time(4, now + micros(time_to_live))
                .run();
        });
        return taken;
    });
    sweep_holders();
    return lease;
}

/// Once a session: the files of holders that no lease names any more are of no use.
void SqliteSession::sweep_holders() {
    if (swept_) {
        return;
    }
    swept_ = true;
    std::set<std::string> named;
    connection_.guard([&] {
        connection_.query("select distinct holder from " + connection_.qualified("lease"), {}, {Storage::text}).each([&](Query &row) {
            named.insert(row.take_text(0));
        });
    });
    holders_->sweep(named);
}

void SqliteSession::renew_leases(std::span<const Lease> leases, std::chrono::milliseconds time_to_live) {
    connection_.within_transaction([&] {
        for (const Lease &lease : leases) {
            const std::uint64_t renewed = connection_.guard([&] {
                return connection_
                    .query("update " + connection_.qualified("lease") +
                               " set expires_at = ? where topic = ? and partition = ? and epoch = ? and holder = ?",
                           {Storage::time, Storage::text, Storage::integer, Storage::integer, Storage::text}, {})
                    .time(0, event::now() + micros(time_to_live))
                    .text(1, lease.topic)
                    .integer(2, lease.partition)
                    .integer(3, lease.epoch)
                    .text(4, lease.holder)
                    .run();
            });
            if (renewed == 0) {
                throw Fenced("partition " + std::to_string(lease.partition) + " of " + lease.topic + " was taken over by another host");
            }
        }
    });
}

void SqliteSession::release_leases(std::span<const Lease> leases) {
    connection_.within_transaction([&] {
        for (const Lease &lease : leases) {
            connection_.guard([&] {
                connection_
                    .query("update " + connection_.qualified("lease") +
                               " set holder = '', expires_at = ? where topic = ? and partition = ? and epoch = ? and holder = ?",
                           {Storage::time, Storage::text, Storage::integer, Storage::integer, Storage::text}, {})
                    .time(0, event::now())
                    .text(1, lease.topic)
                    .integer(2, lease.partition)
                    .integer(3, lease.epoch)
                    .text(4, lease.holder)
                    .run();
            });
        }
    });
}

} // namespace weir::store::sqlite
