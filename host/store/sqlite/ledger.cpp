// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"
#include "standard_rows.hpp"
#include "store/ledger_generations.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace weir::store::sqlite {

namespace {

constexpr std::array kOutcomes = {Outcome::applied, Outcome::stale, Outcome::ignored, Outcome::dead};

std::string json_of(std::span<const event::Uuid> ids) {
    std::string array = "[";
    array.reserve(ids.size() * 39 + 2);
    for (const event::Uuid &id : ids) {
        array += array.size() == 1 ? "\"" : ",\"";
        array += id.text();
        array += '"';
    }
    return array + ']';
}

} // namespace

// Which generations there are, what was pruned, and the filters of those that are sealed. Within the transaction that looks ids up: no
// generation can be sealed or pruned before its end.
void SqliteSession::see_generations() {
    std::int64_t oldest = 0;
    std::int64_t young = 0;
    connection_
        .query("select coalesce(min(generation), 0), coalesce(max(generation), 0) from " +
                   connection_.qualified(std::string(kLedgerGenerations)),
               {}, {Storage::integer, Storage::integer})
        .each([&](Query &row) {
            oldest = row.take_integer(0);
            young = row.take_integer(1);
        });
    if (oldest == oldest_ && young == young_) {
        return;
    }
    pruned_.clear();
    connection_
        .query("select topic, partition, incarnation, high, low, appended_through from " +
                   connection_.qualified(std::string(kLedgerPruned)) + " order by topic, partition",
               {}, {Storage::text, Storage::integer, Storage::text, Storage::integer, Storage::integer, Storage::time})
        .each([&](Query &row) {
            pruned_.push_back({row.take_text(0),
                               static_cast<std::uint32_t>(row.take_integer(1)),
                               row.take_text(2),
                               {static_cast<std::uint64_t>(row.take_integer(3)), static_cast<std::uint64_t>(row.take_integer(4))},
                               row.take_time(5)});
        });
    filters_->forget_before(oldest);
    oldest_ = oldest;
    young_ = young;
}

void SqliteSession::find_in(std::string_view table, std::span<const event::Uuid> ids, std::vector<event::Uuid> &found) {
    if (ids.empty()) {
        return;
    }
    connection_
        .query("select ledger.event_id from json_each(?) given cross join " + connection_.qualified(std::string(table)) +
                   " ledger on ledger.event_id = given.value",
               {Storage::text}, {Storage::text})
        .text(0, json_of(ids))
        .each([&](Query &row) {
            if (const auto id = event::Uuid::parse(row.take_text(0))) {
                found.push_back(*id);
            }
        });
}

// Those of the ids that a sealed generation may hold; all, while it has no filter.
std::vector<event::Uuid> SqliteSession::candidates(std::int64_t generation, std::span<const event::Uuid> ids) {
    auto filter = filters_->find(generation);
    if (!filter) {
        connection_
            .query("select filter from " + connection_.qualified(std::string(kLedgerGenerations)) +
                       " where generation = ? and filter is not null",
                   {Storage::integer}, {Storage::bytes})
            .integer(0, generation)
            .each([&](Query &row) {
                if (auto stored = IdFilter::from_bytes(row.take_text(0))) {
                    filter = std::make_shared<const IdFilter>(std::move(*stored));
                }
            });
        if (!filter) {
            return {ids.begin(), ids.end()};
        }
        filters_->put(generation, filter);
    }
    std::vector<event::Uuid> some;
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(some), [&](const event::Uuid &id) { return filter->may_contain(id); });
    return some;
}

std::vector<event::Uuid> SqliteSession::in_ledger(std::span<const event::Uuid> ids) {
    see_generations();
    std::vector<event::Uuid> found;
    find_in(kYoungLedger, ids, found);
    for (std::int64_t generation = oldest_; generation < young_; ++generation) {
        find_in(generation_table(generation), candidates(generation, ids), found);
    }
    return found;
}

std::vector<event::Uuid> SqliteSession::decided(std::span<const event::Uuid> ids) {
    std::vector<event::Uuid> found;
    if (ids.empty()) {
        return found;
    }
    connection_.guard([&] {
        connection_.within_snapshot([&] {
            found = in_ledger(ids);
            if (oldest_ > 1) { // what was pruned may have left a dead letter
                find_in("dead_letter_queue", ids, found);
            }
        });
    });
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

std::vector<UnappliedEvent> SqliteSession::unapplied(std::span<const event::Uuid> ids) {
    std::map<event::Uuid, std::string> found; // and the contexts of their letters
    const auto look = [&](const std::string &columns, const std::string &table, const std::string &which) {
        connection_
            .query("select e.event_id, " + columns + " from json_each(?) given cross join " + connection_.qualified(table) +
                       " e on e.event_id = given.value where " + which,
                   {Storage::text}, {Storage::text, Storage::text})
            .text(0, json_of(ids))
            .each([&](Query &row) {
                if (const auto id = event::Uuid::parse(row.take_text(0))) {
                    found.try_emplace(*id, row.take_text(1));
                }
            });
    };
    if (!ids.empty()) {
        connection_.guard([&] {
            connection_.within_snapshot([&] {
                see_generations();
                look("e.context", "dead_letter_queue", "e.status <> 'replayed'");
                look("''", std::string(kYoungLedger), "e.outcome = 'ignored'");
                for (std::int64_t generation = oldest_; generation < young_; ++generation) {
                    if (!candidates(generation, ids).empty()) {
                        look("''", generation_table(generation), "e.outcome = 'ignored'");
                    }
                }
            });
        });
    }
    std::vector<UnappliedEvent> result;
    for (auto &[id, context] : found) {
        result.push_back({id, std::move(context)});
    }
    return result;
}

// The row of a dead letter that was replayed, in whatever generation it is.
bool SqliteSession::change_outcome(const event::Uuid &id, Outcome outcome) {
    see_generations();
    for (std::int64_t generation = young_; generation >= oldest_; --generation) {
        const bool young = generation == young_;
        if (!young && candidates(generation, std::span(&id, 1)).empty()) {
            continue;
        }
        const std::uint64_t was_dead =
            connection_
                .query("update " + connection_.qualified(young ? std::string(kYoungLedger) : generation_table(generation)) +
                           " set outcome = ? where event_id = ? and outcome = 'dead'",
                       {Storage::text, Storage::text}, {})
                .text(0, std::string(outcome_name(outcome)))
                .text(1, id.text())
                .run();
        if (was_dead == 1) {
            return true;
        }
    }
    return false;
}

void SqliteSession::record(std::span<const LedgerEntry> entries) {
    if (entries.empty()) {
        return;
    }
    connection_.within_transaction([&] {
        insert_entries(connection_, entries);
        for (const Outcome outcome : kOutcomes) {
            const auto of_it =
                std::count_if(entries.begin(), entries.end(), [&](const LedgerEntry &entry) { return entry.outcome == outcome; });
            if (of_it > 0) {
                count_outcome(outcome, of_it, std::count_if(entries.begin(), entries.end(), [&](const LedgerEntry &entry) {
                                  return entry.outcome == outcome && entry.is_request;
                              }));
            }
        }
    });
}

// @param requests that are among the difference
void SqliteSession::count_outcome(Outcome outcome, std::int64_t difference, std::int64_t requests) {
    connection_.guard([&] {
        connection_
            .query("insert into " + connection_.qualified("event_ledger_counts") +
                       " as counts (outcome, events, requests) values (?, ?, ?) on conflict (outcome) do update set events = "
                       "counts.events + excluded.events, requests = counts.requests + excluded.requests",
                   {Storage::text, Storage::integer, Storage::integer}, {})
            .text(0, std::string(outcome_name(outcome)))
            .integer(1, difference)
            .integer(2, requests)
            .run();
    });
}

LedgerCounts SqliteSession::ledger_counts() {
    LedgerCounts counts;
    connection_.guard([&] {
        bool divided = false; // a host has migrated the table since requests are counted apart
        connection_
            .query("select 1 from pragma_table_info('event_ledger_counts', ?) where name = 'undivided'", {Storage::text},
                   {Storage::integer})
            .text(0, connection_.place().schema)
            .each([&](Query &) { divided = true; });
        connection_
            .query("select outcome, events, " + std::string(divided ? "requests, undivided" : "0, events") + " from " +
                       connection_.qualified("event_ledger_counts"),
                   {}, {Storage::text, Storage::integer, Storage::integer, Storage::integer})
            .each([&](Query &row) { add_count(counts, row.take_text(0), row.take_integer(1), row.take_integer(2), row.take_integer(3)); });
        balance(counts);
        connection_
            .query("select count(*) from " + connection_.qualified("dead_letter_queue") + " where status = 'dropped'", {},
                   {Storage::integer})
            .each([&](Query &row) { counts.dead -= std::min(counts.dead, static_cast<std::uint64_t>(row.take_integer(0))); });
    });
    return counts;
}

} // namespace weir::store::sqlite
