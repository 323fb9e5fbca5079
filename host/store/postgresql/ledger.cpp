// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::store::postgresql {

namespace {

constexpr std::array kOutcomes = {Outcome::applied, Outcome::dead, Outcome::ignored, Outcome::stale}; // by name: locked in one order

} // namespace

std::vector<event::Uuid> PostgresqlSession::decided(std::span<const event::Uuid> ids) {
    std::vector<event::Uuid> found;
    if (ids.empty()) {
        return found;
    }
    within_transaction([&] {
        Array array(Form::uuid);
        array.reserve(ids.size());
        for (const event::Uuid &id : ids) {
            array.uuid(id);
        }
        std::vector<Command> commands;
        commands.push_back({"select event_id from " + qualified("event_ledger") + " where event_id = any($1)", {array.take()}});
        const std::vector<Reply> replies = exchange(std::move(commands));
        for (int i = 0; i < replies[0].rows(); ++i) {
            const std::string_view bytes = replies[0].bytes(i, 0);
            event::Uuid &id = found.emplace_back();
            std::memcpy(id.bytes.data(), bytes.data(), std::min(bytes.size(), id.bytes.size()));
        }
    });
    std::sort(found.begin(), found.end());
    return found;
}

void PostgresqlSession::record(std::span<const LedgerEntry> entries) {
    if (entries.empty()) {
        return;
    }
    within_transaction([&] {
        Array ids(Form::uuid);
        Array times(Form::timestamptz);
        Array outcomes(Form::text);
        ids.reserve(entries.size());
        std::array<std::int64_t, kOutcomes.size()> counts{};
        for (const LedgerEntry &entry : entries) {
            ids.uuid(entry.event_id);
            times.integer(entry.received_at);
            outcomes.text(outcome_name(entry.outcome));
            ++counts[static_cast<std::size_t>(std::find(kOutcomes.begin(), kOutcomes.end(), entry.outcome) - kOutcomes.begin())];
        }
        constexpr Form kForms[] = {Form::uuid, Form::timestamptz, Form::text};
        std::vector<Command> commands;
        commands.push_back({"insert into " + qualified("event_ledger") + " (event_id, received_at, outcome) select * from " + given(kForms),
                            {ids.take(), times.take(), outcomes.take()},
                            true,
                            Meaning::creation});
        Array named(Form::text);
        Array added(Form::int8);
        for (std::size_t i = 0; i < counts.size(); ++i) {
            if (counts[i] > 0) {
                named.text(outcome_name(kOutcomes[i]));
                added.integer(counts[i]);
            }
        }
        commands.push_back(count_outcomes(named.take(), added.take()));
        exchange(std::move(commands));
    });
}

Command PostgresqlSession::count_outcomes(Parameter outcomes, Parameter differences) const {
    constexpr Form kForms[] = {Form::text, Form::int8};
    return {"insert into " + qualified("event_ledger_counts") +
                " as counts (outcome, shard, events) select c0, pg_backend_pid() % 16, c1 from " + given(kForms) +
                " on conflict (outcome, shard) do update set events = counts.events + excluded.events",
            {std::move(outcomes), std::move(differences)}};
}

LedgerCounts PostgresqlSession::ledger_counts() {
    LedgerCounts counts;
    within_transaction([&] {
        Connection &connection = live();
        connection.guard([&] {
            std::int64_t dead = 0;
            connection
                .query("select outcome, cast(sum(events) as bigint) from " + qualified("event_ledger_counts") + " group by outcome", 0, 2)
                .each([&](Query &row) {
                    const std::string outcome = row.take_text(0);
                    const auto count = static_cast<std::uint64_t>(row.take_integer(1));
                    if (outcome == outcome_name(Outcome::stale)) {
                        counts.stale = count;
                        counts.applied += count;
                    } else if (outcome == outcome_name(Outcome::ignored)) {
                        counts.ignored = count;
                    } else if (outcome == outcome_name(Outcome::dead)) {
                        dead = row.take_integer(1);
                    } else {
                        counts.applied += count;
                    }
                });
            connection.query("select count(*) from " + qualified("dead_letter_queue") + " where status = 'dropped'", 0, 1)
                .each([&](Query &row) { dead -= row.take_integer(0); });
            counts.dead = static_cast<std::uint64_t>(std::max<std::int64_t>(0, dead));
        });
    });
    return counts;
}

} // namespace weir::store::postgresql
