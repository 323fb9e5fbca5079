// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include "store/standard_tables.hpp"

namespace weir::store::sqlite {

namespace {

constexpr Storage kId[] = {Storage::text};
/// Rows of event_attempts: event_id, retries, crashes, retry_at, last_error.
constexpr Storage kAttempts[] = {Storage::text, Storage::integer, Storage::integer, Storage::time, Storage::text};

auto into(std::vector<Attempts> &all) {
    return [&all](Query &row) {
        const auto id = event::Uuid::parse(row.take_text(0));
        if (!id) {
            return;
        }
        Attempts &one = all.emplace_back();
        one.event_id = *id;
        one.retries = static_cast<std::uint32_t>(row.take_integer(1));
        one.crashes = static_cast<std::uint32_t>(row.take_integer(2));
        one.retry_at = row.take_time(3);
        one.last_error = row.take_text(4);
    };
}

} // namespace

void SqliteSession::save_positions(std::span<const StoredPosition> positions) {
    if (positions.empty()) {
        return;
    }
    connection_.within_transaction([&] {
        connection_.guard([&] {
            const std::string anew = "incarnation <> excluded.incarnation or ";
            const std::string further = anew + "(high, low) < (excluded.high, excluded.low)";
            const std::string reached = anew + "(reached_high, reached_low) < (excluded.reached_high, excluded.reached_low)";
            const auto later = [](const std::string &condition, const std::string &column) {
                return column + " = case when " + condition + " then excluded." + column + " else " + column + " end, ";
            };
            Bulk &bulk = connection_.bulk(
                "insert into " + connection_.qualified("positions") +
                    " (topic, partition, incarnation, high, low, updated_at, reached_high, reached_low) values (?, ?, ?, ?, ?, ?, ?, ?) on "
                    "conflict (topic, partition) do update set incarnation = excluded.incarnation, " +
                    later(further, "high") + later(further, "low") + later(reached, "reached_high") + later(reached, "reached_low") +
                    "updated_at = excluded.updated_at where " + further + " or " + reached,
                {Storage::text, Storage::integer, Storage::text, Storage::integer, Storage::integer, Storage::time, Storage::integer,
                 Storage::integer});
            const event::Micros now = event::now();
            for (const StoredPosition &position : positions) {
                bulk.text(0, position.topic);
                bulk.integer(1, position.partition);
                bulk.text(2, position.incarnation);
                bulk.integer(3, static_cast<std::int64_t>(position.position.high)); // all 64 bits: above 2^63 it reads as negative
                bulk.integer(4, static_cast<std::int64_t>(position.position.low));
                bulk.time(5, now);
                bulk.integer(6, static_cast<std::int64_t>(position.reached.high));
                bulk.integer(7, static_cast<std::int64_t>(position.reached.low));
            }
            bulk.run();
        });
    });
}

std::vector<StoredPosition> SqliteSession::positions() {
    std::vector<StoredPosition> positions;
    connection_.guard([&] {
        connection_
            .query("select topic, partition, incarnation, high, low, reached_high, reached_low from " + connection_.qualified("positions") +
                       " order by topic, partition",
                   {},
                   {Storage::text, Storage::integer, Storage::text, Storage::integer, Storage::integer, Storage::integer, Storage::integer})
            .each([&](Query &row) {
                StoredPosition &position = positions.emplace_back();
                position.topic = row.take_text(0);
                position.partition = static_cast<std::uint32_t>(row.take_integer(1));
                position.incarnation = row.take_text(2);
                position.position.high = static_cast<std::uint64_t>(row.take_integer(3));
                position.position.low = static_cast<std::uint64_t>(row.take_integer(4));
                position.reached.high = static_cast<std::uint64_t>(row.take_integer(5));
                position.reached.low = static_cast<std::uint64_t>(row.take_integer(6));
            });
    });
    return positions;
}

void SqliteSession::save_attempts(std::span<const Attempts> attempts) {
    if (attempts.empty()) {
        return;
    }
    connection_.within_transaction([&] {
        connection_.guard([&] {
            Bulk &bulk = connection_.bulk(
                "insert into " + connection_.qualified("event_attempts") +
                    " (event_id, retries, crashes, retry_at, last_error) values (?, ?, ?, ?, ?) on conflict (event_id) do update set "
                    "retries = max(retries, excluded.retries), crashes = max(crashes, excluded.crashes), "
                    "retry_at = case when excluded.retries < retries then retry_at else excluded.retry_at end, "
                    "last_error = excluded.last_error",
                {Storage::text, Storage::integer, Storage::integer, Storage::time, Storage::text});
            for (const Attempts &one : attempts) {
                bulk.text(0, one.event_id.text());
                bulk.integer(1, one.retries);
                bulk.integer(2, one.crashes);
                bulk.time(3, one.retry_at);
                bulk.text(4, one.last_error);
            }
            bulk.run();
        });
    });
}

void SqliteSession::forget_attempts(std::span<const event::Uuid> ids) {
    if (ids.empty()) {
        return;
    }
    connection_.within_transaction([&] {
        connection_.guard([&] {
            Bulk &bulk =
                connection_.bulk("delete from " + connection_.qualified("event_attempts") + " where event_id = ?", {Storage::text});
            for (const event::Uuid &id : ids) {
                bulk.text(0, id.text());
            }
            bulk.run();
        });
    });
}

std::vector<Attempts> SqliteSession::attempts() {
    std::vector<Attempts> all;
    connection_.guard([&] {
        connection_
            .query("select event_id, retries, crashes, retry_at, last_error from " + connection_.qualified("event_attempts") +
                       " order by event_id",
                   {}, kAttempts)
            .each(into(all));
    });
    return all;
}

void SqliteSession::note_route_change(std::uint32_t table) {
    const std::string &name = schema_->tables[table].name;
    const std::string steps = connection_.qualified("schema_migrations");
    connection_.guard([&] {
        connection_
            .query("insert into " + steps + " (step, table_name, applied_at) select ?, ?, ? where not exists (select 1 from " + steps +
                       " where step = ?)",
                   {Storage::text, Storage::text, Storage::time, Storage::text}, {})
            .text(0, route_change_step(name))
            .text(1, name)
            .time(2, event::now())
            .text(3, route_change_step(name))
            .run();
    });
}

std::vector<Attempts> SqliteSession::attempts_of(std::span<const event::Uuid> ids) {
    std::vector<Attempts> some;
    connection_.guard([&] {
        for (const event::Uuid &id : ids) {
            connection_
                .query("select event_id, retries, crashes, retry_at, last_error from " + connection_.qualified("event_attempts") +
                           " where event_id = ?",
                       kId, kAttempts)
                .text(0, id.text())
                .each(into(some));
        }
    });
    return some;
}

} // namespace weir::store::sqlite
