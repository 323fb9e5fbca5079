// SPDX-License-Identifier: Apache-2.0
#include "replacement.hpp"

#include "kept_rows.hpp"
#include "migration.hpp"
#include "store/ledger_generations.hpp"

#include <algorithm>

namespace weir::store::postgresql {

namespace {

constexpr int kPatience = 60; // a swap of millions of rows takes longer than any other statement

/// The same row by its key, as the domain's own table compares keys.
std::string same_key(const TableLayout &ours, const TableLayout &theirs) {
    std::string sql;
    for (std::size_t i = 0; i < ours.table->primary_key.size(); ++i) {
        const ColumnLayout &left = ours.key(i);
        const ColumnLayout &right = theirs.key(i);
        sql += i ? " and " : "";
        if (left.folded) {
            sql += left.comparable("t") + " = " + right.comparable("s");
        } else if (left.form == Form::text) {
            sql += "t." + left.name + " = " + left.write("s." + right.name) + (left.cast_to.empty() ? " collate \"C\"" : "");
        } else {
            sql += "t." + left.name + " = " + left.write("s." + right.name);
        }
    }
    return sql;
}

/// A cell as it is compared with the other schema's: texts byte by byte, whatever collation their columns have.
std::string cell(const ColumnLayout &column, const std::string &target) {
    if (column.form == Form::text) {
        return "cast(" + target + "." + column.name + " as text) collate \"C\"";
    }
    if (column.form == Form::json || column.form == Form::jsonb) {
        return "cast(" + target + "." + column.name + " as jsonb)";
    }
    return column.read(target);
}

std::string differs(const TableLayout &ours, const TableLayout &theirs) {
    std::string sql;
    for (std::size_t i = 0; i < ours.columns.size(); ++i) {
        sql += (i ? " or " : "(") + cell(ours.columns[i], "t") + " is distinct from " + cell(theirs.columns[i], "s");
    }
    return sql + ")";
}

} // namespace

PostgresqlReplacement::PostgresqlReplacement(Place place, std::shared_ptr<const Layout> ours, Place shadow,
                                             std::shared_ptr<const Layout> theirs, Presence &presence, std::shared_ptr<void> owner)
    : place_(std::move(place)), shadow_(std::move(shadow)), ours_(std::move(ours)), theirs_(std::move(theirs)),
      session_(place_, ours_, presence, std::make_shared<LedgerFilters>(), std::move(owner)),
      reply_timeout_(place_.pool->options().reply_timeout) {
    session_.begin({});
    Connection &connection = session_.connection();
    connection.set_reply_timeout(reply_timeout_ * kPatience);
    connection.execute("set local role none"); // the domain's role sees no other schema
    connection.execute("set local statement_timeout = 0");
    connection.execute("set local enable_seqscan = on"); // whole tables are compared
    // Whoever seals or prunes the ledger takes these in the same order.
    connection.execute("select pg_advisory_xact_lock(" + std::to_string(place_.lock_key("ledger")) + ")");
    connection.execute("lock table " + place_.qualified("event_ledger") + " in access exclusive mode");
}

PostgresqlReplacement::~PostgresqlReplacement() {
    session_.restore_reply_timeout(reply_timeout_);
    session_.rollback();
}

std::uint64_t PostgresqlReplacement::write(const std::string &sql) {
    Connection &connection = session_.connection();
    std::uint64_t touched = 0;
    connection.guard([&] { touched = connection.query(sql, 0, 0).run(); }, Meaning::rows);
    return touched;
}

ReplacementCounts PostgresqlReplacement::commit() {
    session_.connection().execute("set constraints all deferred"); // until this commit: references hold at its end
    ReplacementCounts counts;
    const std::vector<bool> stays = tables_of_routes();
    const LeftAsTheyAre left = remove_rows(stays, counts);
    for (std::size_t i = 0; i < ours_->tables.size(); ++i) {
        if (stays[i]) {
            add_rows(i, counts, " on conflict do nothing");
            continue;
        }
        replace_rows(i, counts);
        note_rebuilt(ours_->tables[i]);
    }
    replace_letters(counts, left); // while the ledger still says what the domain came to
    replace_ledger(counts);
    check_references();
    session_.restore_reply_timeout(reply_timeout_);
    session_.commit();
    return counts;
}

// While what is refused is still known for data. The server names one of the two tables.
void PostgresqlReplacement::check_references() {
    Connection &connection = session_.connection();
    connection.execute("savepoint rows");
    try {
        write("set constraints all immediate");
    } catch (const DataRefused &refused) {
        connection.execute("rollback to savepoint rows");
        std::string message = refused.what();
        for (const TableLayout &from : ours_->tables) {
            for (const Reference &reference : from.table->references) {
                const TableLayout &to = ours_->tables[reference.target_table];
                std::string given;
                for (const std::uint32_t column : reference.columns) {
                    given += "c." + from.columns[column].name + " is not null and ";
                }
                connection.guard([&] {
                    connection
                        .query("select 1 from " + from.name + " as c where " + given + "not exists (select from " + to.name +
                                   " as t where " + refers(from, reference, to) + ") limit 1",
                               0, 1)
                        .each([&](Query &) { message += "; " + open_reference(*from.table, *to.table); });
                });
            }
        }
        throw DataRefused(message);
    }
}

LeftAsTheyAre PostgresqlReplacement::remove_rows(const std::vector<bool> &stays, ReplacementCounts &counts) {
    LeftAsTheyAre left;
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < ours_->tables.size(); ++i) {
        missing.push_back("not exists (select from " + theirs_->tables[i].name + " as s where " +
                          same_key(ours_->tables[i], theirs_->tables[i]) + ")");
    }
    const KeptRows kept(session_.connection(), *ours_, stays, missing);
    for (std::size_t i = 0; i < ours_->tables.size(); ++i) {
        const TableLayout &table = ours_->tables[i];
        if (stays[i]) {
            left.tables.push_back(table.plain);
            continue;
        }
        const std::string remove = "delete from " + table.name + " as t where " + missing[i];
        if (kept.count(i) == 0) {
            counts.rows_removed += write(remove);
            continue;
        }
        counts.rows_kept += kept.count(i);
        left.rows_of.push_back(table.plain);
        Connection &connection = session_.connection();
        connection.guard(
            [&] { counts.rows_removed += connection.query(remove + " and " + KeptRows::isnt_kept(), 1, 0).text(0, kept.list(i)).run(); },
            Meaning::rows);
    }
    return left;
}

// Rows are changed where they stand. Where unique values have moved between rows, no order of changes may do: then they are made anew.
void PostgresqlReplacement::replace_rows(std::size_t table, ReplacementCounts &counts) {
    const TableLayout &ours = ours_->tables[table];
    const TableLayout &theirs = theirs_->tables[table];
    const std::string key = same_key(ours, theirs);
    const std::string different = differs(ours, theirs);
    std::string assignments;
    for (std::size_t i = 0; i < ours.columns.size(); ++i) {
        assignments += (i ? ", " : "") + ours.columns[i].name + " = " + ours.columns[i].write("s." + theirs.columns[i].name);
    }
    Connection &connection = session_.connection();
    connection.execute("savepoint rows");
    try {
        counts.rows_changed +=
            write("update " + ours.name + " as t set " + assignments + " from " + theirs.name + " as s where " + key + " and " + different);
    } catch (const DataRefused &) {
        connection.execute("rollback to savepoint rows");
        const std::uint64_t anew =
            write("delete from " + ours.name + " as t using " + theirs.name + " as s where " + key + " and " + different);
        counts.rows_changed += anew;
        counts.rows_added -= anew; // they are among those added below
    }
    connection.execute("release savepoint rows");
    add_rows(table, counts, "");
}

void PostgresqlReplacement::add_rows(std::size_t table, ReplacementCounts &counts, const std::string &where_taken) {
    const TableLayout &ours = ours_->tables[table];
    const TableLayout &theirs = theirs_->tables[table];
    std::string names;
    std::string values;
    for (std::size_t i = 0; i < ours.columns.size(); ++i) {
        names += (i ? ", " : "") + ours.columns[i].name;
        values += (i ? ", " : "") + ours.columns[i].write("s." + theirs.columns[i].name);
    }
    counts.rows_added +=
        write("insert into " + ours.name + " (" + names + ") select " + values + " from " + theirs.name +
              " as s where not exists (select from " + ours.name + " as t where " + same_key(ours, theirs) + ")" + where_taken);
}

/// By table: whether routes change its rows, so that what is there stays.
std::vector<bool> PostgresqlReplacement::tables_of_routes() {
    const std::vector<std::string> names = route_tables(session_.connection(), place_, ours_->schema);
    std::vector<bool> stays;
    for (const TableLayout &table : ours_->tables) {
        stays.push_back(std::find(names.begin(), names.end(), table.plain) != names.end());
    }
    return stays;
}

std::vector<std::string> PostgresqlReplacement::ledgers_of(const std::string &schema) {
    const std::string prefix = quote_name(schema) + ".";
    std::vector<std::string> tables = {prefix + quote_name(std::string(kYoungLedger))};
    Connection &connection = session_.connection();
    connection.guard([&] {
        connection
            .query("select generation from " + prefix + std::string(kLedgerGenerations) + " where sealed_at is not null order by 1", 0, 1)
            .each([&](Query &row) { tables.push_back(prefix + quote_name(generation_table(row.take_integer(0)))); });
    });
    return tables;
}

void PostgresqlReplacement::count_outcome(const std::string &outcome, std::int64_t difference) {
    Connection &connection = session_.connection();
    connection.guard([&] {
        connection
            .query("insert into " + place_.qualified("event_ledger_counts") +
                       " as counts (outcome, shard, events) values (:a, 0, cast(:b as bigint)) on conflict (outcome, shard) do update set "
                       "events = counts.events + excluded.events",
                   2, 0)
            .text(0, outcome)
            .integer(1, difference)
            .run();
    });
}

// A ledger may lie in several tables, the young one first.
void PostgresqlReplacement::replace_ledger(ReplacementCounts &counts) {
    const std::vector<std::string> ours = ledgers_of(place_.schema);
    for (const std::string &shadow : ledgers_of(shadow_.schema)) {
        std::string unknown;
        for (const std::string &ledger : ours) {
            counts.outcomes_changed += change_outcomes(ledger, shadow);
            unknown += " and not exists (select from " + ledger + " as t where t.event_id = s.event_id)";
        }
        const std::string from = " from " + shadow + " as s where true" + unknown;
        std::vector<std::pair<std::string, std::int64_t>> added;
        Connection &connection = session_.connection();
        connection.guard([&] {
            connection.query("select s.outcome, count(*)" + from + " group by 1", 0, 2).each([&](Query &row) {
                added.emplace_back(row.take_text(0), row.take_integer(1));
            });
        });
        if (added.empty() || is_pruned()) { // what was pruned is counted already, and beyond the horizon
            continue;
        }
        write("insert into " + place_.qualified("event_ledger") +
              " (event_id, received_at, outcome) select s.event_id, s.received_at, s.outcome" + from);
        for (const auto &[outcome, events] : added) {
            count_outcome(outcome, events);
        }
    }
}

std::uint64_t PostgresqlReplacement::change_outcomes(const std::string &ledger, const std::string &shadow) {
    struct Change {
        std::string from;
        std::string to;
        std::int64_t events = 0;
    };
    std::vector<Change> changes;
    const std::string joined = " join " + shadow + " as s on s.event_id = t.event_id";
    const std::string changed = "cast(t.outcome as text) collate \"C\" <> s.outcome";
    Connection &connection = session_.connection();
    connection.guard([&] {
        connection
            .query("select t.outcome, s.outcome, count(*) from " + ledger + " as t" + joined + " where " + changed + " group by 1, 2", 0, 3)
            .each([&](Query &row) {
                changes.push_back({row.take_text(0), row.take_text(1), row.take_integer(2)});
            });
    });
    for (const Change &change : changes) {
        count_outcome(change.from, -change.events);
        count_outcome(change.to, change.events);
    }
    return changes.empty() ? 0
                           : write("update " + ledger + " as t set outcome = s.outcome from " + shadow +
                                   " as s where s.event_id = t.event_id and " + changed);
}

bool PostgresqlReplacement::is_pruned() {
    bool is_there = false;
    Connection &connection = session_.connection();
    connection.guard([&] {
        connection
            .query("select exists (select from pg_class where relname = 'event_ledger_pruned' and relnamespace = (select oid from "
                   "pg_namespace where nspname = :a))",
                   1, 1)
            .text(0, place_.schema)
            .each([&](Query &row) { is_there = row.take_boolean(0); });
        if (is_there) {
            connection.query("select exists (select from " + place_.qualified("event_ledger_pruned") + ")", 0, 1).each([&](Query &row) {
                is_there = row.take_boolean(0);
            });
        }
    });
    return is_there;
}

void PostgresqlReplacement::replace_letters(ReplacementCounts &counts, const LeftAsTheyAre &left) {
    const std::string ours = place_.qualified("dead_letter_queue");
    const std::string shadow = shadow_.qualified("dead_letter_queue");
    std::string undone;
    for (const std::string &ledger : ledgers_of(shadow_.schema)) {
        undone += (undone.empty() ? "(exists (select from " : " or exists (select from ") + ledger +
                  " as s where s.event_id = t.event_id and s.outcome <> 'dead')";
    }
    undone += ")";
    counts.letters_resolved = write("delete from " + ours + " as t where t.status = 'pending' and " + undone);
    std::string unapplied;
    for (const std::string &ledger : ledgers_of(place_.schema)) {
        unapplied += (unapplied.empty() ? "exists (select from " : " or exists (select from ") + ledger +
                     " as l where l.event_id = s.event_id and cast(l.outcome as text) in ('ignored', 'dead'))";
    }
    const std::string context = left.context_of("s.context", unapplied, "json");
    if (!left.tables.empty()) {
        write("update " + ours + " as t set context = " + context + " from " + shadow +
              " as s where s.event_id = t.event_id and t.status = 'replayed'");
    }
    const auto clip = [&](const char *column) { return clipped(std::string("s.") + column, column, ours_->letter_limits); };
    counts.letters_renewed =
        write("update " + ours + " as t set status = 'pending', error_type = " + clip("error_type") +
              ", error_message = " + clip("error_message") + ", retry_count = s.retry_count, updated_at = s.updated_at from " + shadow +
              " as s where s.event_id = t.event_id and t.status <> 'dropped'");
    counts.letters_overtaken = write("update " + ours + " as t set status = 'replayed' where t.status = 'dropped' and " + undone);
    // All of a shadow's are pending; said so, it fits a status that is an enumeration too.
    counts.letters_added =
        write("insert into " + ours +
              " (event_id, topic, partition, position, event_type, event_data, raw, error_type, error_message, retry_count, created_at, "
              "updated_at, context, status) select event_id, topic, partition, position, " +
              clip("event_type") + ", event_data, raw, " + clip("error_type") + ", " + clip("error_message") +
              ", retry_count, created_at, updated_at, " + context + ", 'pending' from " + shadow + " as s where not exists (select from " +
              ours + " as t where t.event_id = s.event_id) order by s.id");
}

void PostgresqlReplacement::note_rebuilt(const TableLayout &table) {
    Connection &connection = session_.connection();
    connection.guard([&] {
        connection
            .query("insert into " + place_.qualified("schema_migrations") +
                       " (step, table_name, applied_at) values (:a, :b, clock_timestamp())",
                   2, 0)
            .text(0, "rebuilt table " + table.plain)
            .text(1, table.plain)
            .run();
    });
}

} // namespace weir::store::postgresql
