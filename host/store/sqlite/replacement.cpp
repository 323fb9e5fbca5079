// SPDX-License-Identifier: Apache-2.0
#include "replacement.hpp"

#include "kept_rows.hpp"
#include "migration.hpp"

#include <algorithm>

namespace weir::store::sqlite {

namespace {

/// t."a" = s."a" and t."b" = s."b": the row of the same key, by the key's own collation.
std::string same_key(const Table &table) {
    std::string sql;
    for (const std::uint32_t column : table.primary_key) {
        const std::string name = quote_name(table.columns[column].name);
        sql += (sql.empty() ? "t." : " and t.") + name + " = s." + name;
    }
    return sql;
}

/// Whether every cell is the same, byte for byte: case counts also where the column's collation passes over it.
std::string same_cells(const Table &table) {
    std::string sql;
    for (const Column &column : table.columns) {
        const std::string name = quote_name(column.name);
        sql += (sql.empty() ? "t." : " and t.") + name + " collate binary is s." + name;
    }
    return sql;
}

std::string column_list(const Table &table, const char *before) {
    std::string sql;
    for (const Column &column : table.columns) {
        sql += (sql.empty() ? "" : ", ") + (before + quote_name(column.name));
    }
    return sql;
}

std::string assignments(const Table &table) {
    std::string sql;
    for (const Column &column : table.columns) {
        sql += (sql.empty() ? "" : ", ") + quote_name(column.name) + " = s." + quote_name(column.name);
    }
    return sql;
}

} // namespace

SqliteReplacement::SqliteReplacement(const Place &place, Place shadow, const Schema &tables, std::shared_ptr<Holders> holders)
    : shadow_(std::move(shadow)), tables_(tables),
      session_(place, std::make_shared<const Schema>(tables), std::move(holders), std::make_shared<LedgerFilters>()),
      connection_(session_.connection()) {
    session_.begin({});
}

SqliteReplacement::~SqliteReplacement() { session_.rollback(); }

std::vector<event::Uuid> SqliteReplacement::decided(std::span<const event::Uuid> ids) { return session_.decided(ids); }

std::vector<StoredPosition> SqliteReplacement::positions() { return session_.positions(); }

LedgerCounts SqliteReplacement::ledger_counts() { return session_.ledger_counts(); }

void SqliteReplacement::attach_shadow() {
    connection_.guard([&] {
        sqlite_api::sqlite3_limit(connection_.handle(), SQLITE_LIMIT_ATTACHED, 2);
        const std::string file = shadow_.file().string();
        connection_.session() << "attach database :file as " + quote_name(shadow_.schema), soci::use(file);
    });
}

std::string SqliteReplacement::theirs(const std::string &table) const { return quote_name(shadow_.schema) + "." + quote_name(table); }

std::uint64_t SqliteReplacement::write(const std::string &sql) {
    return connection_.guard([&] { return connection_.query(sql, {}, {}).run(); });
}

ReplacementCounts SqliteReplacement::commit() {
    attach_shadow();
    connection_.execute("pragma defer_foreign_keys = on"); // until this commit: references hold at its end
    ReplacementCounts counts;
    const std::vector<std::string> of_routes = route_tables(connection_, tables_);
    const auto stays = [&](const Table &table) { return std::find(of_routes.begin(), of_routes.end(), table.name) != of_routes.end(); };
    const LeftAsTheyAre left = remove_rows(stays, counts);
    for (const Table &table : tables_.tables) {
        if (stays(table)) {
            add_rows(table, counts, " on conflict do nothing");
            continue;
        }
        replace_rows(table, counts);
        note_rebuilt(connection_, table.name);
    }
    replace_letters(counts, left); // while the ledger still says what the domain came to
    replace_ledger(counts);
    check_references();
    session_.commit();
    return counts;
}

LeftAsTheyAre SqliteReplacement::remove_rows(const std::function<bool(const Table &)> &stays, ReplacementCounts &counts) {
    LeftAsTheyAre left;
    const std::function<std::string(const Table &)> missing = [this](const Table &table) {
        return "not exists (select 1 from " + theirs(table.name) + " as s where " + same_key(table) + ")";
    };
    const auto remove = [&](const Table &table) {
        return "delete from " + connection_.qualified(table.name) + " as t where " + missing(table);
    };
    if (std::none_of(tables_.tables.begin(), tables_.tables.end(), stays)) {
        for (const Table &table : tables_.tables) {
            counts.rows_removed += write(remove(table));
        }
        return left;
    }
    KeptRows kept(connection_, tables_, stays, missing);
    for (std::size_t i = 0; i < tables_.tables.size(); ++i) {
        const Table &table = tables_.tables[i];
        if (stays(table)) {
            left.tables.push_back(table.name);
            continue;
        }
        counts.rows_removed += write(remove(table) + " and not " + kept.is_kept(i));
        counts.rows_kept += kept.count(i);
        if (kept.count(i) > 0) {
            left.rows_of.push_back(table.name);
        }
    }
    kept.forget();
    return left;
}

// The commit would only say that there are open references.
void SqliteReplacement::check_references() {
    int unresolved = 0;
    int highest = 0;
    sqlite_api::sqlite3_db_status(connection_.handle(), SQLITE_DBSTATUS_DEFERRED_FKS, &unresolved, &highest, 0);
    if (unresolved == 0) {
        return;
    }
    std::string message;
    for (const Table &table : tables_.tables) {
        for (const Reference &reference : table.references) {
            const Table &target = tables_.tables[reference.target_table];
            std::string refers;
            std::string matches;
            for (std::size_t i = 0; i < reference.columns.size(); ++i) {
                const std::string from = "c." + quote_name(table.columns[reference.columns[i]].name);
                refers += from + " is not null and ";
                matches += (i ? " and t." : "t.") + quote_name(target.columns[reference.target_columns[i]].name) + " = " + from;
            }
            connection_.guard([&] {
                connection_
                    .query("select 1 from " + connection_.qualified(table.name) + " as c where " + refers + "not exists (select 1 from " +
                               connection_.qualified(target.name) + " as t where " + matches + ") limit 1",
                           {}, {Storage::integer})
                    .each([&](Query &) { message += (message.empty() ? "" : "; ") + open_reference(table, target); });
            });
        }
    }
    if (!message.empty()) {
        throw DataRefused(message);
    }
}

// Rows are changed where they stand. Where unique values have moved between rows, no order of changes may do: then they are made anew.
void SqliteReplacement::replace_rows(const Table &table, ReplacementCounts &counts) {
    const std::string ours = connection_.qualified(table.name);
    connection_.execute("savepoint rows");
    try {
        counts.rows_changed += write("update " + ours + " as t set " + assignments(table) + " from " + theirs(table.name) + " as s where " +
                                     same_key(table) + " and not (" + same_cells(table) + ")");
    } catch (const DataRefused &) {
        connection_.execute("rollback to rows");
        const std::uint64_t anew = write("delete from " + ours + " as t where exists (select 1 from " + theirs(table.name) +
                                         " as s where " + same_key(table) + " and not (" + same_cells(table) + "))");
        counts.rows_changed += anew;
        counts.rows_added -= anew; // they are among those added below
    }
    connection_.execute("release rows");
    add_rows(table, counts, "");
}

void SqliteReplacement::add_rows(const Table &table, ReplacementCounts &counts, const std::string &where_taken) {
    const std::string ours = connection_.qualified(table.name);
    counts.rows_added +=
        write("insert into " + ours + " (" + column_list(table, "") + ") select " + column_list(table, "s.") + " from " +
              theirs(table.name) + " as s where not exists (select 1 from " + ours + " as t where " + same_key(table) + ")" + where_taken);
}

std::vector<std::string> SqliteReplacement::ledgers_of(const std::string &schema) {
    const std::string prefix = quote_name(schema) + ".";
    std::vector<std::string> tables = {prefix + quote_name(std::string(kYoungLedger))};
    connection_.guard([&] {
        connection_
            .query("select generation from " + prefix + std::string(kLedgerGenerations) + " where sealed_at is not null order by 1", {},
                   {Storage::integer})
            .each([&](Query &row) { tables.push_back(prefix + quote_name(generation_table(row.take_integer(0)))); });
    });
    return tables;
}

void SqliteReplacement::count_outcome(const std::string &outcome, std::int64_t difference) {
    connection_.guard([&] {
        connection_
            .query("insert into " + connection_.qualified("event_ledger_counts") +
                       " as counts (outcome, events) values (?, ?) on conflict (outcome) do update set events = counts.events + "
                       "excluded.events",
                   {Storage::text, Storage::integer}, {})
            .text(0, outcome)
            .integer(1, difference)
            .run();
    });
}

// A ledger may lie in several tables, the young one first.
void SqliteReplacement::replace_ledger(ReplacementCounts &counts) {
    const std::vector<std::string> ours = ledgers_of(connection_.place().schema);
    for (const std::string &shadow : ledgers_of(shadow_.schema)) {
        std::string unknown;
        for (const std::string &ledger : ours) {
            counts.outcomes_changed += change_outcomes(ledger, shadow);
            unknown += " and not exists (select 1 from " + ledger + " as t where t.event_id = s.event_id)";
        }
        const std::string from = " from " + shadow + " as s where true" + unknown;
        std::vector<std::pair<std::string, std::int64_t>> added;
        connection_.guard([&] {
            connection_.query("select s.outcome, count(*)" + from + " group by 1", {}, {Storage::text, Storage::integer})
                .each([&](Query &row) { added.emplace_back(row.take_text(0), row.take_integer(1)); });
        });
        if (added.empty() || is_pruned()) { // what was pruned is counted already, and beyond the horizon
            continue;
        }
        write("insert into " + connection_.qualified("event_ledger") +
              " (event_id, received_at, outcome) select s.event_id, s.received_at, s.outcome" + from);
        for (const auto &[outcome, events] : added) {
            count_outcome(outcome, events);
        }
    }
}

std::uint64_t SqliteReplacement::change_outcomes(const std::string &ledger, const std::string &shadow) {
    struct Change {
        std::string from;
        std::string to;
        std::int64_t events = 0;
    };
    std::vector<Change> changes;
    connection_.guard([&] {
        connection_
            .query("select t.outcome, s.outcome, count(*) from " + ledger + " as t join " + shadow +
                       " as s on s.event_id = t.event_id where t.outcome <> s.outcome group by 1, 2",
                   {}, {Storage::text, Storage::text, Storage::integer})
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
                                   " as s where t.event_id = s.event_id and t.outcome <> s.outcome");
}

bool SqliteReplacement::is_pruned() {
    bool pruned = false;
    const std::string schema = quote_name(connection_.place().schema);
    bool can_be = false;
    connection_.guard([&] {
        connection_.query("select 1 from " + schema + ".sqlite_master where name = 'event_ledger_pruned'", {}, {Storage::integer})
            .each([&](Query &) { can_be = true; });
        if (can_be) {
            connection_.query("select 1 from " + schema + ".event_ledger_pruned limit 1", {}, {Storage::integer}).each([&](Query &) {
                pruned = true;
            });
        }
    });
    return pruned;
}

void SqliteReplacement::replace_letters(ReplacementCounts &counts, const LeftAsTheyAre &left) {
    const std::string ours = connection_.qualified("dead_letter_queue");
    const std::string shadow = theirs("dead_letter_queue");
    std::string undone;
    for (const std::string &ledger : ledgers_of(shadow_.schema)) {
        undone += (undone.empty() ? "(exists (select 1 from " : " or exists (select 1 from ") + ledger +
                  " as s where s.event_id = t.event_id and s.outcome <> 'dead')";
    }
    undone += ")";
    counts.letters_resolved = write("delete from " + ours + " as t where t.status = 'pending' and " + undone);
    std::string unapplied;
    for (const std::string &ledger : ledgers_of(connection_.place().schema)) {
        unapplied += (unapplied.empty() ? "exists (select 1 from " : " or exists (select 1 from ") + ledger +
                     " as l where l.event_id = s.event_id and l.outcome in ('ignored', 'dead'))";
    }
    const std::string context = left.context_of("s.context", unapplied, "text");
    if (!left.tables.empty()) {
        write("update " + ours + " as t set context = " + context + " from " + shadow +
              " as s where s.event_id = t.event_id and t.status = 'replayed'");
    }
    counts.letters_renewed =
        write("update " + ours +
              " as t set status = 'pending', error_type = s.error_type, error_message = s.error_message, retry_count = s.retry_count, "
              "updated_at = s.updated_at from " +
              shadow + " as s where s.event_id = t.event_id and t.status <> 'dropped'");
    counts.letters_overtaken = write("update " + ours + " as t set status = 'replayed' where t.status = 'dropped' and " + undone);
    const std::string columns =
        "event_id, topic, partition, position, event_type, event_data, raw, error_type, error_message, retry_count, "
        "status, created_at, updated_at, ";
    counts.letters_added = write("insert into " + ours + " (" + columns + "context) select " + columns + context + " from " + shadow +
                                 " as s where not exists (select 1 from " + ours + " as t where t.event_id = s.event_id) order by s.id");
}

} // namespace weir::store::sqlite
