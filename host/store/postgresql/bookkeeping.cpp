// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"
#include "storable.hpp"

#include "store/standard_tables.hpp"

namespace weir::store::postgresql {

namespace {

/// Takes rows of event_attempts: event_id, retries, crashes, retry_at, last_error.
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

void PostgresqlSession::save_positions(std::span<const StoredPosition> positions) {
    if (positions.empty()) {
        return;
    }
    within_transaction([&] {
        Array topics(Form::text);
        Array partitions(Form::int8);
        Array incarnations(Form::text);
        Array highs(Form::int8);
        Array lows(Form::int8);
        Array reached_highs(Form::int8);
        Array reached_lows(Form::int8);
        for (const StoredPosition &position : positions) {
            topics.text(position.topic);
            partitions.integer(position.partition);
            incarnations.text(position.incarnation);
            highs.integer(static_cast<std::int64_t>(position.position.high)); // all 64 bits: above 2^63 it reads as negative
            lows.integer(static_cast<std::int64_t>(position.position.low));
            reached_highs.integer(static_cast<std::int64_t>(position.reached.high));
            reached_lows.integer(static_cast<std::int64_t>(position.reached.low));
        }
        constexpr Form kForms[] = {Form::text, Form::int8, Form::text, Form::int8, Form::int8, Form::int8, Form::int8};
        const std::string anew = "target.incarnation <> excluded.incarnation or ";
        const std::string further = anew + "(target.high, target.low) < (excluded.high, excluded.low)";
        const std::string reached = anew + "(target.reached_high, target.reached_low) < (excluded.reached_high, excluded.reached_low)";
        const auto later = [](const std::string &condition, const std::string &column) {
            return column + " = case when " + condition + " then excluded." + column + " else target." + column + " end, ";
        };
        defer(Command{
            "insert into " + qualified("positions") +
                " as target (topic, partition, incarnation, high, low, reached_high, reached_low, updated_at) select *, "
                "clock_timestamp() from " +
                given(kForms) + " on conflict (topic, partition) do update set incarnation = excluded.incarnation, " +
                later(further, "high") + later(further, "low") + later(reached, "reached_high") + later(reached, "reached_low") +
                "updated_at = excluded.updated_at where " + further + " or " + reached,
            {topics.take(), partitions.take(), incarnations.take(), highs.take(), lows.take(), reached_highs.take(), reached_lows.take()},
            true,
            Meaning::standard});
    });
}

std::vector<StoredPosition> PostgresqlSession::positions() {
    std::vector<StoredPosition> positions;
    within_transaction([&] {
        Connection &connection = live();
        connection.guard([&] {
            connection
                .query("select topic, partition, incarnation, high, low, reached_high, reached_low from " + qualified("positions") +
                           " order by topic, partition",
                       0, 7)
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
    });
    return positions;
}

void PostgresqlSession::save_attempts(std::span<const Attempts> attempts) {
    if (attempts.empty()) {
        return;
    }
    within_transaction([&] {
        Array ids(Form::uuid);
        Array retries(Form::int8);
        Array crashes(Form::int8);
        Array times(Form::timestamptz);
        Array errors(Form::text);
        for (const Attempts &one : attempts) {
            ids.uuid(one.event_id);
            retries.integer(one.retries);
            crashes.integer(one.crashes);
            times.integer(one.retry_at);
            errors.text(storable(one.last_error));
        }
        constexpr Form kForms[] = {Form::uuid, Form::int8, Form::int8, Form::timestamptz, Form::text};
        defer(Command{"insert into " + qualified("event_attempts") +
                          " as target (event_id, retries, crashes, retry_at, last_error) select * from " + given(kForms) +
                          " on conflict (event_id) do update set retries = greatest(target.retries, excluded.retries), "
                          "crashes = greatest(target.crashes, excluded.crashes), retry_at = case when excluded.retries < target.retries "
                          "then target.retry_at else excluded.retry_at end, last_error = excluded.last_error",
                      {ids.take(), retries.take(), crashes.take(), times.take(), errors.take()},
                      true,
                      Meaning::standard});
    });
}

void PostgresqlSession::forget_attempts(std::span<const event::Uuid> ids) {
    if (ids.empty()) {
        return;
    }
    within_transaction([&] {
        Array array(Form::uuid);
        for (const event::Uuid &id : ids) {
            array.uuid(id);
        }
        defer(Command{"delete from " + qualified("event_attempts") + " where event_id = any($1)", {array.take()}});
    });
}

std::vector<Attempts> PostgresqlSession::attempts() {
    std::vector<Attempts> all;
    within_transaction([&] {
        live().guard([&] {
            live()
                .query("select event_id, retries, crashes, retry_at, last_error from " + qualified("event_attempts") + " order by event_id",
                       0, 5)
                .each(into(all));
        });
    });
    return all;
}

void PostgresqlSession::note_route_change(std::uint32_t table) {
    const std::string &name = layout_->tables[table].plain;
    const std::string steps = qualified("schema_migrations");
    Connection &connection = live();
    connection.guard([&] {
        connection
            .query("insert into " + steps +
                       " (step, table_name, applied_at) select :a, :b, clock_timestamp() where not exists (select from " + steps +
                       " where step = :c)",
                   3, 0)
            .text(0, route_change_step(name))
            .text(1, name)
            .text(2, route_change_step(name))
            .run();
    });
}

std::vector<Attempts> PostgresqlSession::attempts_of(std::span<const event::Uuid> ids) {
    std::vector<Attempts> some;
    if (ids.empty()) {
        return some;
    }
    std::string array;
    for (const event::Uuid &id : ids) {
        array.append(1, array.empty() ? '{' : ',').append(id.text());
    }
    array += '}';
    within_transaction([&] {
        live().guard([&] {
            live()
                .query("select event_id, retries, crashes, retry_at, last_error from " + qualified("event_attempts") +
                           " where event_id = any(cast(:a as uuid[]))",
                       1, 5)
                .text(0, std::move(array))
                .each(into(some));
        });
    });
    return some;
}

} // namespace weir::store::postgresql
