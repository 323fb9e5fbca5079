// SPDX-License-Identifier: Apache-2.0
// Tables are made, renamed and dropped by the login that owns them, in transactions that give up soon where batches hold a lock: whoever
// waits for such a lock holds up all that come after.
#include "ledger_view.hpp"
#include "roles.hpp"
#include "session.hpp"

#include <algorithm>
#include <cstring>

namespace weir::store::postgresql {

namespace {

constexpr std::uint64_t kUsualEvents = 500'000; // of a generation: its index stays in the server's memory
constexpr int kRowsAtOnce = 20'000;

/// The upkeep of one domain's ledger, on a connection of the login.
class Upkeep {
public:
    Upkeep(Connection &connection, const Place &place, LedgerFilters &filters, std::chrono::milliseconds patience)
        : connection_(connection), place_(place), filters_(filters),
          lock_timeout_("set local lock_timeout = " + std::to_string(std::max<std::int64_t>(1, patience.count()))) {}

    LedgerUpkeep step(const LedgerPolicy &policy) {
        LedgerUpkeep done;
        const std::vector<LedgerGeneration> known = generations();
        done.generations = known.empty() ? 0 : known.size() - 1;
        // What is refused in one step keeps no other from being done: the ledger grows for as long as nothing is sealed.
        if (attempt(done, [&] { return remove_remains(done); })) {
            done.more = true;
        } else if (attempt(done, [&] { return index_generation(known); })) {
            ++done.indexed;
            done.more = true;
        } else if (attempt(done, [&] { return in_transaction([&] { return prune(policy, done); }); }) ||
                   attempt(done, [&] { return in_transaction([&] { return seal(policy, done); }); })) {
            done.more = true;
        }
        return done;
    }

private:
    template <class Work> static bool attempt(LedgerUpkeep &done, Work work) {
        const LedgerUpkeep before = done;
        try {
            return work();
        } catch (const RunAgain &failure) { // a lock that others hold
            done = before;
            done.more = true;
            done.in_the_way = failure.what();
        } catch (const SchemaWrong &failure) {
            done = before;
            done.refused += (done.refused.empty() ? "" : "; ") + std::string(failure.what());
        }
        return false;
    }

    std::string own(std::string_view table) const { return place_.qualified(std::string(table)); }
    void run(const std::string &sql) {
        std::vector<Command> commands;
        commands.push_back({sql, {}, false});
        connection_.exchange(std::move(commands));
    }
    Reply ask(std::string sql, std::vector<Parameter> parameters = {}) {
        std::vector<Command> commands;
        commands.push_back({std::move(sql), std::move(parameters), false});
        return std::move(connection_.exchange(std::move(commands)).front());
    }

    /// One host at a time; the others find nothing to do.
    template <class Work> bool in_transaction(Work work) {
        run("begin");
        try {
            run(lock_timeout_);
            const Reply locked =
                ask("select pg_try_advisory_xact_lock(cast($1 as bigint))", {{0, std::to_string(place_.lock_key("ledger"))}});
            const bool worked = locked.bytes(0, 0) == std::string_view("\1", 1) && work();
            run("commit");
            return worked;
        } catch (...) {
            if (!connection_.is_broken() && connection_.in_transaction()) {
                run("rollback");
            }
            throw;
        }
    }

    std::vector<LedgerGeneration> generations() {
        std::vector<LedgerGeneration> all;
        const Reply rows = ask("select generation, opened_at, events_before, sealed_at, received_through, events from " +
                               own(kLedgerGenerations) + " order by generation");
        const auto time = [&](int row, int column) { return std::get<std::int64_t>(rows.value(row, column, Form::timestamptz, 0)); };
        for (int i = 0; i < rows.rows(); ++i) {
            LedgerGeneration &one = all.emplace_back();
            one.number = decode_integer(rows.bytes(i, 0));
            one.opened_at = time(i, 1);
            one.events_before = decode_integer(rows.bytes(i, 2));
            one.sealed_at = rows.is_null(i, 3) ? 0 : time(i, 3);
            one.indexed = !rows.is_null(i, 5);
            if (one.indexed) {
                one.received_through = time(i, 4);
                one.events = decode_integer(rows.bytes(i, 5));
            }
        }
        return all;
    }

    /// The table of a pruned generation. Its file is removed when the lock is given up again.
    bool remove_remains(LedgerUpkeep &done) {
        const Reply rows = ask("select generation from " + own(kLedgerRemains) + " order by generation");
        for (int i = 0; i < rows.rows(); ++i) {
            const std::int64_t number = decode_integer(rows.bytes(i, 0));
            const bool removed = attempt(done, [&] {
                return in_transaction([&] {
                    run("drop table if exists " + own(generation_table(number)));
                    run("delete from " + own(kLedgerRemains) + " where generation = " + std::to_string(number));
                    return true;
                });
            });
            if (removed) {
                return true;
            }
        }
        return false;
    }

    /// Reads a sealed generation and keeps what is to be known of it. Its rows don't change any more, so that nothing is locked meanwhile.
    bool index_generation(const std::vector<LedgerGeneration> &known) {
        const auto found =
            std::find_if(known.begin(), known.end(), [](const LedgerGeneration &one) { return one.sealed_at != 0 && !one.indexed; });
        if (found == known.end()) {
            return false;
        }
        IdFilter filter(static_cast<std::size_t>(std::max<std::int64_t>(1, std::next(found)->events_before - found->events_before)));
        event::Micros through = event::kEarliest;
        std::int64_t events = 0;
        event::Uuid last;
        const std::string select = "select event_id, received_at from " + own(generation_table(found->number)) + " where event_id ";
        for (int rows = kRowsAtOnce; rows == kRowsAtOnce;) {
            const Reply some =
                ask(select + (events == 0 ? ">=" : ">") + " cast($1 as uuid) order by event_id limit " + std::to_string(kRowsAtOnce),
                    {{0, last.text()}});
            rows = some.rows();
            for (int i = 0; i < rows; ++i) {
                std::memcpy(last.bytes.data(), some.bytes(i, 0).data(), std::min(some.bytes(i, 0).size(), last.bytes.size()));
                filter.add(last);
                through = std::max(through, std::get<std::int64_t>(some.value(i, 1, Form::timestamptz, 0)));
            }
            events += rows;
        }
        connection_.guard([&] {
            connection_
                .query("update " + own(kLedgerGenerations) +
                           " set received_through = cast(:a as timestamptz), events = cast(:b as bigint), filter = cast(:c as bytea) where "
                           "generation = "
                           "cast(:d as bigint)",
                       4, 0)
                .time(0, through)
                .integer(1, events)
                .bytes(2, filter.bytes())
                .integer(3, found->number)
                .run();
        });
        filters_.put(found->number, std::make_shared<const IdFilter>(std::move(filter)));
        return true;
    }

    bool prune(const LedgerPolicy &policy, LedgerUpkeep &done) {
        const std::vector<LedgerGeneration> known = generations();
        if (!ready_to_prune(known, policy)) {
            return false;
        }
        const LedgerGeneration &oldest = known.front();
        ask("insert into " + own(kLedgerPruned) +
                " as pruned (topic, partition, incarnation, high, low, appended_through) select topic, partition, incarnation, " +
                std::string(kFurthestHigh) + ", " + std::string(kFurthestLow) + ", cast($1 as timestamptz) from " + own("positions") +
                " on conflict (topic, partition, incarnation) do update set high = excluded.high, low = excluded.low, appended_through = "
                "greatest(pruned.appended_through, excluded.appended_through)",
            {{0, event::format_time(oldest.received_through)}});
        run("delete from " + own(kLedgerGenerations) + " where generation = " + std::to_string(oldest.number));
        run("insert into " + own(kLedgerRemains) + " (generation) values (" + std::to_string(oldest.number) + ")");
        make_ledger_view(connection_, place_);
        done.pruned_events = static_cast<std::uint64_t>(oldest.events);
        done.pruned_through = oldest.received_through;
        return true;
    }

    std::int64_t decided() {
        return decode_integer(ask("select cast(coalesce(sum(events), 0) as bigint) from " + own("event_ledger_counts")).bytes(0, 0));
    }

    void open(std::int64_t number, event::Micros now, std::int64_t before) {
        ask("insert into " + own(kLedgerGenerations) +
                " (generation, opened_at, events_before) values (cast($1 as bigint), cast($2 as timestamptz), cast($3 as bigint))",
            {{0, std::to_string(number)}, {0, event::format_time(now)}, {0, std::to_string(before)}});
    }

    bool seal(const LedgerPolicy &policy, LedgerUpkeep &done) {
        std::vector<LedgerGeneration> known = generations();
        if (known.empty()) { // what is there already, as another program may have left it, counts as young
            open(1, policy.now, 0);
            known = generations();
        }
        if (!ready_to_seal(known, decided(), policy, kUsualEvents)) {
            return false;
        }
        const std::int64_t number = known.back().number;
        const std::string sealed = own(generation_table(number));
        if (!ask("select from pg_class where oid = to_regclass($1)", {{0, sealed}}).rows()) {
            rename_young(policy, number, sealed);
            done.sealed = number;
            return true;
        }
        throw SchemaWrong(sealed + " in " + place_.name() +
                          " isn't a generation of the ledger, but has the name that the next one needs: rename it");
    }

    void rename_young(const LedgerPolicy &policy, std::int64_t number, const std::string &sealed) {
        run("lock table " + own(kYoungLedger) + " in access exclusive mode"); // when every batch that has looked into it is over
        run("alter table " + own(kYoungLedger) + " rename to " + quote_name(generation_table(number)));
        run("create table " + own(kYoungLedger) + " (like " + sealed + " including all)"); // with other programs' columns
        grant_as(sealed);
        grant_tables(connection_, place_, {std::string(kYoungLedger)});
        run("update " + own(kLedgerGenerations) + " set sealed_at = " + quote_text(event::format_time(policy.now)) +
            " where generation = " + std::to_string(number));
        open(number + 1, policy.now, decided());
        make_ledger_view(connection_, place_);
    }

    /// Who may read and write the sealed table may do so with the new one.
    void grant_as(const std::string &sealed) {
        const Reply rights =
            ask("select case when a.grantee = 0 then 'public' else a.grantee::regrole::text end, a.privilege_type::text from pg_class c, "
                "aclexplode(c.relacl) a where c.oid = cast($1 as regclass) and a.grantee <> c.relowner",
                {{0, sealed}});
        for (int i = 0; i < rights.rows(); ++i) {
            run("grant " + std::string(rights.bytes(i, 1)) + " on " + own(kYoungLedger) + " to " +
                std::string(rights.bytes(i, 0))); // a role's name comes quoted where it has to be
        }
    }

    Connection &connection_;
    const Place &place_;
    LedgerFilters &filters_;
    const std::string lock_timeout_;
};

} // namespace

void make_ledger_view(Connection &connection, const Place &place) {
    const auto run = [&](const std::string &sql) {
        std::vector<Command> commands;
        commands.push_back({sql, {}, false});
        return std::move(connection.exchange(std::move(commands)).front());
    };
    const Reply sealed =
        run("select generation from " + place.qualified(std::string(kLedgerGenerations)) + " where sealed_at is not null order by 1");
    const std::string columns = "select event_id, received_at, outcome from ";
    std::string sql = columns + place.qualified(std::string(kYoungLedger));
    for (int i = 0; i < sealed.rows(); ++i) {
        sql += " union all " + columns + place.qualified(generation_table(decode_integer(sealed.bytes(i, 0))));
    }
    run("create or replace view " + place.qualified(std::string(kWholeLedger)) + " as " + sql);
    if (const std::string role = place.role(); !role.empty()) {
        run("grant select on " + place.qualified(std::string(kWholeLedger)) + " to " + quote_name(role));
    }
}

LedgerUpkeep PostgresqlSession::maintain_ledger(const LedgerPolicy &policy) {
    const Pool::Lent connection = place_.pool->take();
    try {
        return Upkeep(*connection, place_, *filters_, policy.lock_patience).step(policy);
    } catch (const RunAgain &failure) {
        LedgerUpkeep busy;
        busy.more = true;
        busy.in_the_way = failure.what();
        return busy;
    }
}

} // namespace weir::store::postgresql
