// SPDX-License-Identifier: Apache-2.0
#include "replacement.hpp"

#include "migration.hpp"

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
    : shadow_(std::move(shadow)), tables_(tables), session_(place, std::make_shared<const Schema>(tables), std::move(holders)),
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
    for (const Table &table : tables_.tables) {
        counts.rows_removed += write("delete from " + connection_.qualified(table.name) + " as t where not exists (select 1 from " +
                                     theirs(table.name) + " as s where " + same_key(table) + ")");
    }
    for (const Table &table : tables_.tables) {
        replace_rows(table, counts);
    }
    replace_ledger(counts);
    replace_letters(counts);
    note_rebuilt(connection_, tables_);
    session_.commit();
    return counts;
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
    counts.rows_added +=
        write("insert into " + ours + " (" + column_list(table, "") + ") select " + column_list(table, "s.") + " from " +
              theirs(table.name) + " as s where not exists (select 1 from " + ours + " as t where " + same_key(table) + ")");
}

void SqliteReplacement::replace_ledger(ReplacementCounts &counts) {
    const std::string ours = connection_.qualified("event_ledger");
    const std::string shadow = theirs("event_ledger");
    counts.outcomes_changed = write("update " + ours + " as t set outcome = s.outcome from " + shadow +
                                    " as s where t.event_id = s.event_id and t.outcome <> s.outcome");
    const std::uint64_t added =
        write("insert into " + ours + " (event_id, received_at, outcome) select s.event_id, s.received_at, s.outcome from " + shadow +
              " as s where not exists (select 1 from " + ours + " as t where t.event_id = s.event_id)");
    if (counts.outcomes_changed + added > 0) {
        const std::string ledger_counts = connection_.qualified("event_ledger_counts");
        write("delete from " + ledger_counts);
        write("insert into " + ledger_counts + " (outcome, events) select outcome, count(*) from " + ours + " group by outcome");
    }
}

void SqliteReplacement::replace_letters(ReplacementCounts &counts) {
    const std::string ours = connection_.qualified("dead_letter_queue");
    const std::string shadow = theirs("dead_letter_queue");
    const std::string undone =
        "exists (select 1 from " + theirs("event_ledger") + " as s where s.event_id = t.event_id and s.outcome <> 'dead')";
    counts.letters_resolved = write("delete from " + ours + " as t where t.status = 'pending' and " + undone);
    counts.letters_renewed =
        write("update " + ours +
              " as t set status = 'pending', error_type = s.error_type, error_message = s.error_message, retry_count = s.retry_count, "
              "updated_at = s.updated_at from " +
              shadow + " as s where s.event_id = t.event_id and t.status <> 'dropped'");
    counts.letters_overtaken = write("update " + ours + " as t set status = 'replayed' where t.status = 'dropped' and " + undone);
    const std::string columns =
        "event_id, topic, partition, position, event_type, event_data, raw, error_type, error_message, retry_count, "
        "status, created_at, updated_at, context";
    counts.letters_added = write("insert into " + ours + " (" + columns + ") select " + columns + " from " + shadow +
                                 " as s where not exists (select 1 from " + ours + " as t where t.event_id = s.event_id) order by s.id");
}

} // namespace weir::store::sqlite
