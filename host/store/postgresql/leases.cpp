// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

namespace weir::store::postgresql {

namespace {
constexpr std::chrono::milliseconds kPatience{200}; // for the row of a lease that another host's batch holds
} // namespace

// Times are the server's, so that hosts whose clocks differ agree on what has expired.

std::optional<Lease> PostgresqlSession::acquire_lease(const std::string &topic, std::uint32_t partition, const std::string &holder,
                                                      std::chrono::milliseconds time_to_live) {
    presence_.keep_alive(place_, holder);
    const auto take = [&]() -> std::optional<Lease> {
        // A host that stands still within a batch holds its lease's row: that is its partition alone, and no reason to wait for here.
        defer("set local lock_timeout = " + std::to_string(kPatience.count()));
        Connection &connection = live();
        std::string other; // who has it, as far as can be seen without waiting for a lock
        bool expired = true;
        connection.guard([&] {
            connection
                .query("select holder, expires_at <= clock_timestamp() from " + qualified("lease") +
                           " where topic = :a and partition = cast(:b as bigint)",
                       2, 2)
                .text(0, topic)
                .integer(1, partition)
                .each([&](Query &row) {
                    other = row.take_text(0);
                    expired = row.take_boolean(1);
                });
        });
        const bool is_held = !other.empty() && other != holder && !expired;
        if (is_held && !Presence::is_gone(connection, place_, other)) {
            return std::nullopt;
        }
        std::optional<Lease> taken;
        connection.guard([&] { // batches hold a share of the row until they end, which the change below would not wait for
            connection
                .query("select epoch from " + qualified("lease") + " where topic = :a and partition = cast(:b as bigint) for update", 2, 1)
                .text(0, topic)
                .integer(1, partition)
                .each([](Query &) {});
            connection
                .query("insert into " + qualified("lease") +
                           " as lease (topic, partition, epoch, holder, expires_at) values (:a, cast(:b as bigint), 1, :c, "
                           "clock_timestamp() + cast(:d as bigint) * interval '1 millisecond') "
                           "on conflict (topic, partition) do update set "
                           "epoch = case when lease.holder = excluded.holder then lease.epoch else lease.epoch + 1 end, "
                           "holder = excluded.holder, expires_at = excluded.expires_at "
                           "where lease.holder in (excluded.holder, '', :e) or lease.expires_at <= clock_timestamp() returning epoch",
                       5, 1)
                .text(0, topic)
                .integer(1, partition)
                .text(2, holder)
                .integer(3, time_to_live.count())
                .text(4, is_held ? other : holder)
                .each([&](Query &row) {
                    taken = Lease{topic, partition, row.take_integer(0), holder};
                });
        });
        return taken;
    };
    try {
        return within_transaction(take);
    } catch (const RunAgain &) {
        return std::nullopt;
    }
}

void PostgresqlSession::renew_leases(std::span<const Lease> leases, std::chrono::milliseconds time_to_live) {
    if (leases.empty()) {
        return;
    }
    presence_.keep_alive(place_, leases.front().holder);
    within_transaction([&] {
        Connection &connection = live();
        for (const Lease &lease : leases) {
            const std::uint64_t renewed = connection.guard([&] {
                return connection
                    .query("update " + qualified("lease") +
                               " set expires_at = clock_timestamp() + cast(:a as bigint) * interval '1 millisecond' "
                               "where topic = :b and partition = cast(:c as bigint) and epoch = cast(:d as bigint) and holder = :e",
                           5, 0)
                    .integer(0, time_to_live.count())
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

void PostgresqlSession::release_leases(std::span<const Lease> leases) {
    if (leases.empty()) {
        return;
    }
    within_transaction([&] {
        Connection &connection = live();
        for (const Lease &lease : leases) {
            connection.guard([&] {
                connection
                    .query("update " + qualified("lease") +
                               " set holder = '', expires_at = clock_timestamp() "
                               "where topic = :a and partition = cast(:b as bigint) and epoch = cast(:c as bigint) and holder = :d",
                           4, 0)
                    .text(0, lease.topic)
                    .integer(1, lease.partition)
                    .integer(2, lease.epoch)
                    .text(3, lease.holder)
                    .run();
            });
        }
    });
}

} // namespace weir::store::postgresql
