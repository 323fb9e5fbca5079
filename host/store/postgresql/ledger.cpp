// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

namespace weir::store::postgresql {

namespace {

Parameter array_of(std::span<const event::Uuid> ids) {
    Array array(Form::uuid);
    array.reserve(ids.size());
    for (const event::Uuid &id : ids) {
        array.uuid(id);
    }
    return array.take();
}

event::Uuid id_from(std::string_view bytes) {
    event::Uuid id;
    std::memcpy(id.bytes.data(), bytes.data(), std::min(bytes.size(), id.bytes.size()));
    return id;
}

constexpr std::array kOutcomes = {Outcome::applied, Outcome::dead, Outcome::ignored, Outcome::stale}; // by name: locked in one order

} // namespace

void PostgresqlSession::see_generations(std::int64_t oldest, std::int64_t young) {
    has_asked_ = true;
    if (oldest == oldest_ && young == young_) {
        return;
    }
    std::vector<Command> commands;
    commands.push_back({"select topic, partition, incarnation, high, low, appended_through from " +
                            qualified(std::string(kLedgerPruned).c_str()) + " order by topic, partition",
                        {}});
    const std::vector<Reply> replies = exchange(std::move(commands));
    pruned_.clear();
    for (int i = 0; i < replies[0].rows(); ++i) {
        const Reply &row = replies[0];
        pruned_.push_back(
            {std::string(row.bytes(i, 0)),
             static_cast<std::uint32_t>(decode_integer(row.bytes(i, 1))),
             std::string(row.bytes(i, 2)),
             {static_cast<std::uint64_t>(decode_integer(row.bytes(i, 3))), static_cast<std::uint64_t>(decode_integer(row.bytes(i, 4)))},
             std::get<std::int64_t>(row.value(i, 5, Form::timestamptz, 0))});
    }
    filters_->forget_before(oldest);
    oldest_ = oldest;
    young_ = young;
}

// Filters that another host has made, or that were made before this one started.
void PostgresqlSession::load_filters() {
    std::vector<Command> commands;
    std::vector<std::int64_t> missing;
    for (std::int64_t generation = oldest_; generation < young_; ++generation) {
        if (!filters_->find(generation)) {
            missing.push_back(generation);
            commands.push_back({"select filter from " + qualified(std::string(kLedgerGenerations).c_str()) +
                                    " where generation = cast($1 as bigint) and filter is not null",
                                {{0, std::to_string(generation)}}});
        }
    }
    if (commands.empty()) {
        return;
    }
    const std::vector<Reply> replies = exchange(std::move(commands));
    for (std::size_t i = 0; i < missing.size(); ++i) {
        if (replies[i].rows() == 1) {
            if (auto filter = IdFilter::from_bytes(replies[i].bytes(0, 0))) {
                filters_->put(missing[i], std::make_shared<const IdFilter>(std::move(*filter)));
            }
        }
    }
}

// Those of the ids that a sealed generation may hold; all, while it has no filter.
std::vector<event::Uuid> PostgresqlSession::candidates(std::int64_t generation, std::span<const event::Uuid> ids) const {
    const auto filter = filters_->find(generation);
    if (!filter) {
        return {ids.begin(), ids.end()};
    }
    std::vector<event::Uuid> some;
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(some), [&](const event::Uuid &id) { return filter->may_contain(id); });
    return some;
}

// The young generation is asked in the statement that tells which sealed ones there are: whoever seals it waits for this transaction's end.
std::vector<event::Uuid> PostgresqlSession::in_ledger(std::span<const event::Uuid> ids, bool letters) {
    std::vector<event::Uuid> found;
    std::vector<Command> commands;
    commands.push_back(
        {"select event_id, null::bigint, null::bigint from " + qualified(std::string(kYoungLedger).c_str()) +
             " where event_id = any($1) union all select null, coalesce(min(generation), 0), coalesce(max(generation), 0) from " +
             qualified(std::string(kLedgerGenerations).c_str()),
         {array_of(ids)}});
    const std::vector<Reply> young = exchange(std::move(commands));
    for (int i = 0; i < young[0].rows(); ++i) {
        if (young[0].is_null(i, 0)) {
            see_generations(decode_integer(young[0].bytes(i, 1)), decode_integer(young[0].bytes(i, 2)));
        } else {
            found.push_back(id_from(young[0].bytes(i, 0)));
        }
    }
    load_filters();
    commands.clear();
    Command sealed; // one statement for all of them, the same until another is sealed
    bool any = false;
    for (std::int64_t generation = oldest_; generation < young_; ++generation) {
        const std::vector<event::Uuid> some = candidates(generation, ids);
        any = any || !some.empty();
        sealed.parameters.push_back(array_of(some));
        sealed.sql += (sealed.sql.empty() ? "select event_id from " : " union all select event_id from ") +
                      qualified(generation_table(generation).c_str()) + " where event_id = any($" +
                      std::to_string(sealed.parameters.size()) + ")";
    }
    if (any) {
        commands.push_back(std::move(sealed));
    }
    if (letters && oldest_ > 1) { // what was pruned may have left a dead letter
        commands.push_back({"select event_id from " + qualified("dead_letter_queue") + " where event_id = any($1)", {array_of(ids)}});
    }
    if (commands.empty()) {
        return found;
    }
    try {
        for (const Reply &reply : exchange(std::move(commands))) {
            for (int i = 0; i < reply.rows(); ++i) {
                found.push_back(id_from(reply.bytes(i, 0)));
            }
        }
        missed_ = -1;
    } catch (const TableMissing &failure) {
        const std::int64_t oldest = oldest_;
        oldest_ = young_ = -1;
        if (std::exchange(missed_, oldest) == oldest) { // it is still said to be there
            throw;
        }
        throw RunAgain(std::string("the ledger was pruned meanwhile: ") + failure.what());
    }
    return found;
}

std::vector<event::Uuid> PostgresqlSession::decided(std::span<const event::Uuid> ids) {
    std::vector<event::Uuid> found;
    if (ids.empty()) {
        return found;
    }
    within_transaction([&] { found = in_ledger(ids, true); });
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

std::vector<UnappliedEvent> PostgresqlSession::unapplied(std::span<const event::Uuid> ids) {
    std::map<event::Uuid, std::string> found; // and the contexts of their letters
    if (!ids.empty()) {
        within_transaction([&] {
            in_ledger(ids, false); // whatever holds one of them stays until the transaction ends
            Command command{"select event_id, cast(context as text) from " + qualified("dead_letter_queue") +
                                " where event_id = any($1) and cast(status as text) <> 'replayed'",
                            {array_of(ids)}};
            for (std::int64_t generation = oldest_; generation <= young_; ++generation) {
                const bool young = generation == young_;
                const std::vector<event::Uuid> some =
                    young ? std::vector<event::Uuid>(ids.begin(), ids.end()) : candidates(generation, ids);
                if (!some.empty()) {
                    command.parameters.push_back(array_of(some));
                    command.sql += " union all select event_id, '' from " +
                                   qualified((young ? std::string(kYoungLedger) : generation_table(generation)).c_str()) +
                                   " where event_id = any($" + std::to_string(command.parameters.size()) +
                                   ") and cast(outcome as text) = 'ignored'";
                }
            }
            command.prepared = false;
            std::vector<Command> commands;
            commands.push_back(std::move(command));
            const std::vector<Reply> replies = exchange(std::move(commands));
            for (int i = 0; i < replies[0].rows(); ++i) {
                found.try_emplace(id_from(replies[0].bytes(i, 0)), replies[0].bytes(i, 1));
            }
        });
    }
    std::vector<UnappliedEvent> result;
    for (auto &[id, context] : found) {
        result.push_back({id, std::move(context)});
    }
    return result;
}

// The row of a dead letter that was replayed, in whatever generation it is.
bool PostgresqlSession::change_outcome(const event::Uuid &id, Outcome outcome) {
    in_ledger(std::span(&id, 1), false);
    std::vector<Command> commands;
    for (std::int64_t generation = oldest_; generation <= young_; ++generation) {
        const bool young = generation == young_;
        if (young || !candidates(generation, std::span(&id, 1)).empty()) {
            commands.push_back({"update " + qualified((young ? std::string(kYoungLedger) : generation_table(generation)).c_str()) +
                                    " set outcome = $1 where event_id = cast($2 as uuid) and outcome = 'dead'",
                                {{0, std::string(outcome_name(outcome))}, {0, id.text()}}});
        }
    }
    std::uint64_t was_dead = 0;
    for (const Reply &reply : exchange(std::move(commands))) {
        was_dead += reply.touched();
    }
    return was_dead > 0;
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
        std::array<std::int64_t, kOutcomes.size()> requests{};
        for (const LedgerEntry &entry : entries) {
            ids.uuid(entry.event_id);
            times.integer(entry.received_at);
            outcomes.text(outcome_name(entry.outcome));
            const auto outcome = static_cast<std::size_t>(std::find(kOutcomes.begin(), kOutcomes.end(), entry.outcome) - kOutcomes.begin());
            ++counts[outcome];
            requests[outcome] += entry.is_request ? 1 : 0;
        }
        constexpr Form kForms[] = {Form::uuid, Form::timestamptz, Form::text};
        std::vector<Command> commands;
        std::string insert =
            "insert into " + qualified("event_ledger") + " (event_id, received_at, outcome) select * from " + given(kForms);
        std::vector<Parameter> parameters = {ids.take(), times.take(), outcomes.take()};
        if (has_asked_) { // rolling back to a savepoint gives up the lock that keeps the young generation from being sealed
            insert += " where (select coalesce(max(generation), 0) from " + qualified(std::string(kLedgerGenerations).c_str()) +
                      ") = cast($4 as bigint)";
            parameters.push_back({0, std::to_string(young_)});
        }
        commands.push_back({std::move(insert), std::move(parameters), true, Meaning::creation});
        Array named(Form::text);
        Array added(Form::int8);
        Array of_routes(Form::int8);
        for (std::size_t i = 0; i < counts.size(); ++i) {
            if (counts[i] > 0) {
                named.text(outcome_name(kOutcomes[i]));
                added.integer(counts[i]);
                of_routes.integer(requests[i]);
            }
        }
        commands.push_back(count_outcomes(named.take(), added.take(), of_routes.take()));
        if (exchange(std::move(commands))[0].touched() != entries.size()) {
            throw RunAgain("the ledger's young generation was sealed meanwhile");
        }
    });
}

// @param requests that are among the differences
Command PostgresqlSession::count_outcomes(Parameter outcomes, Parameter differences, Parameter requests) const {
    constexpr Form kForms[] = {Form::text, Form::int8, Form::int8};
    return {"insert into " + qualified("event_ledger_counts") +
                " as counts (outcome, shard, events, requests) select c0, pg_backend_pid() % 16, c1, c2 from " + given(kForms) +
                " on conflict (outcome, shard) do update set events = counts.events + excluded.events, requests = counts.requests + "
                "excluded.requests",
            {std::move(outcomes), std::move(differences), std::move(requests)}};
}

LedgerCounts PostgresqlSession::ledger_counts() {
    LedgerCounts counts;
    within_transaction([&] {
        Connection &connection = live();
        connection.guard([&] {
            // Both columns are missing until a host has migrated the table.
            connection
                .query("select outcome, cast(sum(events) as bigint), cast(sum(coalesce(cast(to_jsonb(c) ->> 'requests' as bigint), 0)) as "
                       "bigint), cast(sum(coalesce(cast(to_jsonb(c) ->> 'undivided' as bigint), events)) as bigint) from " +
                           qualified("event_ledger_counts") + " as c group by outcome",
                       0, 4)
                .each([&](Query &row) {
                    add_count(counts, row.take_text(0), row.take_integer(1), row.take_integer(2), row.take_integer(3));
                });
            balance(counts);
            connection.query("select count(*) from " + qualified("dead_letter_queue") + " where status = 'dropped'", 0, 1)
                .each([&](Query &row) { counts.dead -= std::min(counts.dead, static_cast<std::uint64_t>(row.take_integer(0))); });
        });
    });
    return counts;
}

} // namespace weir::store::postgresql
