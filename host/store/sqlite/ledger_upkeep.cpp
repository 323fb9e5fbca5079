// SPDX-License-Identifier: Apache-2.0
// One step a call: whoever writes batches gets the file between two of them.
#include "ddl.hpp"
#include "ledger_view.hpp"
#include "session.hpp"
#include "standard_tables.hpp"

#include <algorithm>

namespace weir::store::sqlite {

namespace {

constexpr std::uint64_t kUsualEvents = 100'000; // of a generation: some twenty megabytes of the file are written again and again
constexpr std::int64_t kRowsAtOnce = 5000;

} // namespace

void make_ledger_view(Connection &connection) {
    std::vector<std::string> tables;
    connection
        .query("select generation from " + connection.qualified(std::string(kLedgerGenerations)) + " where sealed_at is not null", {},
               {Storage::integer})
        .each([&](Query &row) { tables.push_back(generation_table(row.take_integer(0))); });
    const std::string columns = "select event_id, received_at, outcome from ";
    std::string sql = columns + quote_name(std::string(kYoungLedger));
    for (const std::string &table : tables) {
        sql += " union all " + columns + quote_name(table);
    }
    const std::string view = connection.qualified(std::string(kWholeLedger));
    connection.session() << "drop view if exists " + view;
    connection.session() << "create view " + view + " as " + sql;
}

LedgerUpkeep SqliteSession::maintain_ledger(const LedgerPolicy &policy) {
    LedgerUpkeep done;
    // What is refused in one step keeps no other from being done: the ledger grows for as long as nothing is sealed.
    const auto attempt = [&](auto work) {
        const LedgerUpkeep before = done;
        try {
            return connection_.guard(work);
        } catch (const RunAgain &failure) {
            done = before;
            done.more = true;
            done.in_the_way = failure.what();
        } catch (const SchemaWrong &failure) {
            done = before;
            done.refused += (done.refused.empty() ? "" : "; ") + std::string(failure.what());
        }
        return false;
    };
    std::vector<LedgerGeneration> known;
    try {
        known = connection_.guard([&] { return generations(); });
    } catch (const RunAgain &failure) {
        done.more = true;
        done.in_the_way = failure.what();
        return done;
    }
    done.generations = known.empty() ? 0 : known.size() - 1;
    if (attempt([&] { return remove_remains(done); })) {
        done.more = true;
    } else if (attempt([&] { return index_generation(known); })) {
        ++done.indexed;
        done.more = true;
    } else if (attempt([&] { return connection_.within_transaction([&] { return prune(policy, done); }); }) ||
               attempt([&] { return connection_.within_transaction([&] { return seal(policy, done); }); })) {
        done.more = true;
    }
    return done;
}

std::vector<LedgerGeneration> SqliteSession::generations() {
    std::vector<LedgerGeneration> all;
    connection_
        .query("select generation, opened_at, events_before, sealed_at, received_through, events from " +
                   connection_.qualified(std::string(kLedgerGenerations)) + " order by generation",
               {}, {Storage::integer, Storage::time, Storage::integer, Storage::time, Storage::time, Storage::integer})
        .each([&](Query &row) {
            LedgerGeneration &one = all.emplace_back();
            one.number = row.take_integer(0);
            one.opened_at = row.take_time(1);
            one.events_before = row.take_integer(2);
            one.sealed_at = row.is_null(3) ? 0 : row.take_time(3);
            one.indexed = !row.is_null(5);
            if (one.indexed) {
                one.received_through = row.take_time(4);
                one.events = row.take_integer(5);
            }
        });
    return all;
}

/// Some rows of a table whose generation is pruned; the table, when it is empty. Dropping a full one would hold up batches for as long as
/// it is large.
bool SqliteSession::remove_remains(LedgerUpkeep &done) {
    std::vector<std::int64_t> remains;
    const std::string list = connection_.qualified(std::string(kLedgerRemains));
    connection_.query("select generation from " + list + " order by generation", {}, {Storage::integer}).each([&](Query &row) {
        remains.push_back(row.take_integer(0));
    });
    for (const std::int64_t number : remains) {
        const std::string table = connection_.qualified(generation_table(number));
        try {
            connection_.within_transaction([&] {
                connection_.guard([&] {
                    const std::uint64_t removed = connection_
                                                      .query("delete from " + table + " where event_id in (select event_id from " + table +
                                                                 " order by event_id limit ?)",
                                                             {Storage::integer}, {})
                                                      .integer(0, kRowsAtOnce)
                                                      .run();
                    if (removed < static_cast<std::uint64_t>(kRowsAtOnce)) {
                        connection_.session() << "drop table " + table;
                        connection_.query("delete from " + list + " where generation = ?", {Storage::integer}, {}).integer(0, number).run();
                    }
                });
            });
            return true;
        } catch (const DataRefused &failure) { // another program's table refers to it
            done.refused = generation_table(number) + " in " + connection_.place().name() +
                           " can't be emptied: drop what refers to it, or let it refer to another table. " + failure.what();
        }
    }
    return false;
}

/// Reads a sealed generation and keeps what is to be known of it. Its rows don't change any more, so that nothing is locked meanwhile.
bool SqliteSession::index_generation(const std::vector<LedgerGeneration> &generations) {
    const auto found = std::find_if(generations.begin(), generations.end(),
                                    [](const LedgerGeneration &one) { return one.sealed_at != 0 && !one.indexed; });
    if (found == generations.end()) {
        return false;
    }
    std::vector<event::Uuid> ids;
    event::Micros through = event::kEarliest;
    std::string last;
    std::int64_t rows = kRowsAtOnce;
    while (rows == kRowsAtOnce) {
        rows = 0;
        connection_
            .query("select event_id, received_at from " + connection_.qualified(generation_table(found->number)) +
                       " where event_id > ? order by event_id limit ?",
                   {Storage::text, Storage::integer}, {Storage::text, Storage::time})
            .text(0, last)
            .integer(1, kRowsAtOnce)
            .each([&](Query &row) {
                ++rows;
                through = std::max(through, row.take_time(1));
                last = row.take_text(0);
                if (const auto id = event::Uuid::parse(last)) {
                    ids.push_back(*id);
                }
            });
    }
    IdFilter filter(ids.size());
    for (const event::Uuid &id : ids) {
        filter.add(id);
    }
    connection_.within_transaction([&] {
        connection_
            .query("update " + connection_.qualified(std::string(kLedgerGenerations)) +
                       " set received_through = ?, events = ?, filter = cast(? as blob) where generation = ?",
                   {Storage::time, Storage::integer, Storage::bytes, Storage::integer}, {})
            .time(0, through)
            .integer(1, static_cast<std::int64_t>(ids.size()))
            .value(2, filter.bytes())
            .integer(3, found->number)
            .run();
    });
    filters_->put(found->number, std::make_shared<const IdFilter>(std::move(filter)));
    return true;
}

bool SqliteSession::prune(const LedgerPolicy &policy, LedgerUpkeep &done) {
    const std::vector<LedgerGeneration> known = generations();
    if (!ready_to_prune(known, policy)) {
        return false;
    }
    const LedgerGeneration &oldest = known.front();
    connection_
        .query("insert into " + connection_.qualified(std::string(kLedgerPruned)) +
                   " as pruned (topic, partition, incarnation, high, low, appended_through) select topic, partition, incarnation, " +
                   std::string(kFurthestHigh) + ", " + std::string(kFurthestLow) + ", ? from " + connection_.qualified("positions") +
                   " where true on conflict (topic, partition, incarnation) do update set high = excluded.high, low = excluded.low, "
                   "appended_through = "
                   "max(pruned.appended_through, excluded.appended_through)",
               {Storage::time}, {})
        .time(0, oldest.received_through)
        .run();
    connection_
        .query("delete from " + connection_.qualified(std::string(kLedgerGenerations)) + " where generation = ?", {Storage::integer}, {})
        .integer(0, oldest.number)
        .run();
    connection_
        .query("insert into " + connection_.qualified(std::string(kLedgerRemains)) + " (generation) values (?)", {Storage::integer}, {})
        .integer(0, oldest.number)
        .run();
    make_ledger_view(connection_);
    done.pruned_events = static_cast<std::uint64_t>(oldest.events);
    done.pruned_through = oldest.received_through;
    return true;
}

bool SqliteSession::seal(const LedgerPolicy &policy, LedgerUpkeep &done) {
    const std::string table = connection_.qualified(std::string(kLedgerGenerations));
    std::int64_t decided = 0;
    connection_.query("select coalesce(sum(events), 0) from " + connection_.qualified("event_ledger_counts"), {}, {Storage::integer})
        .each([&](Query &row) { decided = row.take_integer(0); });
    const auto open = [&](std::int64_t number, std::int64_t before) {
        connection_
            .query("insert into " + table + " (generation, opened_at, events_before) values (?, ?, ?)",
                   {Storage::integer, Storage::time, Storage::integer}, {})
            .integer(0, number)
            .time(1, policy.now)
            .integer(2, before)
            .run();
    };
    std::vector<LedgerGeneration> known = generations();
    if (known.empty()) { // what is there already, as another program may have left it, counts as young
        open(1, 0);
        known = generations();
    }
    if (!ready_to_seal(known, decided, policy, kUsualEvents)) {
        return false;
    }
    const std::int64_t number = known.back().number;
    std::int64_t taken = 0;
    connection_
        .query("select count(*) from " + connection_.qualified("sqlite_master") + " where name = ?", {Storage::text}, {Storage::integer})
        .text(0, generation_table(number))
        .each([&](Query &row) { taken = row.take_integer(0); });
    if (taken > 0) {
        throw SchemaWrong(generation_table(number) + " in " + connection_.place().name() +
                          " isn't a generation of the ledger, but has the name that the next one needs: rename it");
    }
    // An operator's own view of event_ledger goes on showing the young generation.
    connection_.session() << "pragma legacy_alter_table = on";
    connection_.session() << "alter table " + connection_.qualified(std::string(kYoungLedger)) + " rename to " +
                                 quote_name(generation_table(number));
    connection_.session() << create_table_sql(connection_.place().schema, event_ledger(), {});
    connection_.query("update " + table + " set sealed_at = ? where generation = ?", {Storage::time, Storage::integer}, {})
        .time(0, policy.now)
        .integer(1, number)
        .run();
    open(number + 1, decided);
    make_ledger_view(connection_);
    done.sealed = number;
    return true;
}

} // namespace weir::store::sqlite
