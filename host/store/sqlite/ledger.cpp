// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include <algorithm>
#include <array>

namespace weir::store::sqlite {

namespace {

constexpr std::array kOutcomes = {Outcome::applied, Outcome::stale, Outcome::ignored, Outcome::dead};

} // namespace

std::vector<event::Uuid> SqliteSession::decided(std::span<const event::Uuid> ids) {
    std::vector<event::Uuid> found;
    if (ids.empty()) {
        return found;
    }
    std::string array = "[";
    array.reserve(ids.size() * 39 + 2);
    for (const event::Uuid &id : ids) {
        array += array.size() == 1 ? "\"" : ",\"";
        array += id.text();
        array += '"';
    }
    array += ']';
    connection_.guard([&] {
        connection_
            .query("select ledger.event_id from json_each(?) given cross join " + connection_.qualified("event_ledger") +
                       " ledger on ledger.event_id = given.value",
                   {Storage::text}, {Storage::text})
            .text(0, std::move(array))
            .each([&](Query &row) {
                if (const auto id = event::Uuid::parse(row.take_text(0))) {
                    found.push_back(*id);
                }
            });
    });
    return found;
}

void SqliteSession::record(std::span<const LedgerEntry> entries) {
    if (entries.empty()) {
        return;
    }
    connection_.within_transaction([&] {
        connection_.guard(
            [&] {
                Bulk &bulk = connection_.bulk("insert into " + connection_.qualified("event_ledger") +
                                                  " (event_id, received_at, outcome) values (?, ?, ?)",
                                              {Storage::text, Storage::time, Storage::text});
                for (const LedgerEntry &entry : entries) {
                    bulk.text(0, entry.event_id.text());
                    bulk.time(1, entry.received_at);
                    bulk.text(2, std::string(outcome_name(entry.outcome)));
                }
                bulk.run();
            },
            KeyConflict::run_again);
        for (const Outcome outcome : kOutcomes) {
            const auto of_it =
                std::count_if(entries.begin(), entries.end(), [&](const LedgerEntry &entry) { return entry.outcome == outcome; });
            if (of_it > 0) {
                count_outcome(outcome, of_it);
            }
        }
    });
}

void SqliteSession::count_outcome(Outcome outcome, std::int64_t difference) {
    connection_.guard([&] {
        connection_
            .query("insert into " + connection_.qualified("event_ledger_counts") +
                       " as counts (outcome, events) values (?, ?) on conflict (outcome) do update set events = counts.events + "
                       "excluded.events",
                   {Storage::text, Storage::integer}, {})
            .text(0, std::string(outcome_name(outcome)))
            .integer(1, difference)
            .run();
    });
}

LedgerCounts SqliteSession::ledger_counts() {
    LedgerCounts counts;
    connection_.guard([&] {
        connection_
            .query("select outcome, events from " + connection_.qualified("event_ledger_counts"), {}, {Storage::text, Storage::integer})
            .each([&](Query &row) {
                const std::string outcome = row.take_text(0);
                const auto count = static_cast<std::uint64_t>(row.take_integer(1));
                if (outcome == outcome_name(Outcome::stale)) {
                    counts.stale = count;
                    counts.applied += count;
                } else if (outcome == outcome_name(Outcome::ignored)) {
                    counts.ignored = count;
                } else if (outcome == outcome_name(Outcome::dead)) {
                    counts.dead += count;
                } else {
                    counts.applied += count;
                }
            });
        connection_
            .query("select count(*) from " + connection_.qualified("dead_letter_queue") + " where status = 'dropped'", {},
                   {Storage::integer})
            .each([&](Query &row) { counts.dead -= std::min(counts.dead, static_cast<std::uint64_t>(row.take_integer(0))); });
    });
    return counts;
}

} // namespace weir::store::sqlite
