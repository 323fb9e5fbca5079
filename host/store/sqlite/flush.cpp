// SPDX-License-Identifier: Apache-2.0
#include "columns.hpp"
#include "open_references.hpp"
#include "session.hpp"

#include <algorithm>
#include <ranges>

namespace weir::store::sqlite {

namespace {

bool is_key(const Table &table, std::uint32_t column) {
    return std::find(table.primary_key.begin(), table.primary_key.end(), column) != table.primary_key.end();
}

std::string conflict_target(const Table &table) {
    std::string sql;
    for (const std::uint32_t key : table.primary_key) {
        sql += (sql.empty() ? "" : ", ") + quote_name(table.columns[key].name);
    }
    return sql;
}

/// `columns` of a table as "(a, b) values (?, ?)".
std::string insertion(const Table &table, const std::vector<std::uint32_t> &columns) {
    std::string names;
    std::string values;
    for (const std::uint32_t column : columns) {
        names += (names.empty() ? "" : ", ") + quote_name(table.columns[column].name);
        values += std::string(values.empty() ? "" : ", ") + placeholder(storage_of(table.columns[column].type));
    }
    return " (" + names + ") values (" + values + ")";
}

std::string assignment(const Column &column, CellOperation operation) {
    const std::string name = quote_name(column.name);
    const std::string here = "target." + name;
    const std::string given = "excluded." + name;
    const auto combined = [&](const std::string &both) { // a null on either side counts as absent
        return name + " = coalesce(" + both + ", " + given + ", " + here + ")";
    };
    switch (operation) {
    case CellOperation::add: // a sum that overflows becomes a REAL, which the INTEGER column refuses
        return combined(here + " + " + given);
    case CellOperation::max:
        return combined("max(" + here + ", " + given + ")");
    case CellOperation::min:
        return combined("min(" + here + ", " + given + ")");
    case CellOperation::set:
    case CellOperation::keep:
        break;
    }
    return name + " = " + given;
}

/// Counts the runs of statements on a connection. SQLite tells of each, and begins what triggers do with "--".
/// [sqlite.org/c3ref/c_trace.html]
class RunCount {
public:
    explicit RunCount(sqlite_api::sqlite3 *handle) : handle_(handle) {
        sqlite_api::sqlite3_trace_v2(
            handle_, SQLITE_TRACE_STMT,
            [](unsigned, void *count, void *, void *text) {
                *static_cast<std::size_t *>(count) += std::string_view(static_cast<const char *>(text)).starts_with("--") ? 0 : 1;
                return 0;
            },
            &count_);
    }
    ~RunCount() { sqlite_api::sqlite3_trace_v2(handle_, 0, nullptr, nullptr); }
    RunCount(const RunCount &) = delete;
    RunCount &operator=(const RunCount &) = delete;

    std::size_t runs() const noexcept { return count_; }

private:
    sqlite_api::sqlite3 *handle_;
    std::size_t count_ = 0;
};

/// Where rows of a table go. Cells are of `columns`; empty: those declared, in their order.
struct Target {
    Connection &connection;
    const Table &table;
    std::uint32_t number;
    std::span<const std::uint32_t> columns{};
};

/// Runs what was filled in for these rows; a refusal names the one at which SQLite stopped, which SOCI doesn't tell.
std::uint64_t write(const Target &target, Bulk &bulk, std::span<const Row> rows, KeyConflict conflict = KeyConflict::data_refused) {
    const RunCount count(target.connection.handle());
    try {
        return target.connection.guard([&] { return bulk.run(); }, conflict);
    } catch (const DataRefused &refused) {
        if (count.runs() == 0 || count.runs() > rows.size()) {
            throw;
        }
        throw RowRefused(refused.what(), {target.number, cells_of(target.columns, rows[count.runs() - 1], target.table.primary_key)});
    }
}

} // namespace

void SqliteSession::flush(std::span<const TableFlush> tables) {
    connection_.within_transaction([&] {
        if (has_references_) { // rows that refer to each other come in the order of their keys: looked at when all are there
            connection_.execute("pragma defer_foreign_keys = on");
        }
        for (const TableFlush &flush : std::ranges::reverse_view(tables)) {
            erase_rows(flush);
        }
        for (const TableFlush &flush : tables) {
            write_changed(flush);
            insert_rows(flush.table, flush.created, KeyConflict::run_again);
            for (const BlindWrite &write : flush.blind) {
                write_blind(flush.table, write);
            }
        }
        int open = 0; // of other programs' tables, too
        int highest = 0;
        sqlite_api::sqlite3_db_status(connection_.handle(), SQLITE_DBSTATUS_DEFERRED_FKS, &open, &highest, 0);
        if (open != 0) {
            std::string names;
            for (const TableFlush &flush : tables) {
                names += (names.empty() ? "" : ", ") + table_of(flush.table).name;
            }
            const std::string said = "FOREIGN KEY constraint failed: a row would refer to one that isn't there; written were " + names;
            if (std::optional<RefusedRow> row = open_reference(connection_, *schema_, tables)) {
                throw RowRefused(said, std::move(*row));
            }
            throw DataRefused(said);
        }
    });
}

void SqliteSession::erase_rows(const TableFlush &flush) {
    if (flush.erased.empty()) {
        return;
    }
    const Table &table = table_of(flush.table);
    Bulk &bulk = connection_.bulk("delete from " + name_of(flush.table) + " where " + key_condition(table), key_storages(table));
    for (const Key &key : flush.erased) {
        for (std::size_t i = 0; i < key.size(); ++i) {
            bulk.value(i, key[i]);
        }
    }
    write({connection_, table, flush.table, table.primary_key}, bulk, flush.erased);
}

void SqliteSession::write_changed(const TableFlush &flush) {
    if (flush.changed.empty()) {
        return;
    }
    const Table &table = table_of(flush.table);
    const std::vector<std::uint32_t> &columns = flush.changed_columns; // a part of the key among them is spelled in another case now
    if (columns.empty()) {
        return;
    }
    const bool touches_unique = std::any_of(table.indexes.begin(), table.indexes.end(), [&](const Index &index) {
        return index.unique && std::any_of(index.columns.begin(), index.columns.end(), [&](std::uint32_t column) {
                   return std::find(columns.begin(), columns.end(), column) != columns.end();
               });
    });
    if (touches_unique && flush.changed.size() > 1) {
        write_changed_anew(flush);
        return;
    }
    std::string sql = "update " + name_of(flush.table) + " set ";
    std::vector<Storage> storages;
    for (const std::uint32_t column : columns) {
        const Storage storage = storage_of(table.columns[column].type);
        sql += (storages.empty() ? "" : ", ") + quote_name(table.columns[column].name) + " = " + placeholder(storage);
        storages.push_back(storage);
    }
    const std::vector<Storage> keys = key_storages(table);
    storages.insert(storages.end(), keys.begin(), keys.end());
    Bulk &bulk = connection_.bulk(sql + " where " + key_condition(table), storages);
    for (const Row &row : flush.changed) {
        std::size_t parameter = 0;
        for (const std::uint32_t column : columns) {
            bulk.value(parameter++, row[column]);
        }
        for (const std::uint32_t key : table.primary_key) {
            bulk.value(parameter++, row[key]);
        }
    }
    if (write({connection_, table, flush.table}, bulk, flush.changed) != flush.changed.size()) {
        throw RunAgain("rows of " + table.name + " that were to be changed are gone");
    }
}

/// Values of a unique column may go from row to row within a batch, and SQLite looks at each row as it is written: so the old rows go
/// first.
void SqliteSession::write_changed_anew(const TableFlush &flush) {
    const Table &table = table_of(flush.table);
    Bulk &bulk = connection_.bulk("delete from " + name_of(flush.table) + " where " + key_condition(table), key_storages(table));
    for (const Row &row : flush.changed) {
        for (std::size_t i = 0; i < table.primary_key.size(); ++i) {
            bulk.value(i, row[table.primary_key[i]]);
        }
    }
    if (write({connection_, table, flush.table}, bulk, flush.changed) != flush.changed.size()) {
        throw RunAgain("rows of " + table.name + " that were to be changed are gone");
    }
    insert_rows(flush.table, flush.changed, KeyConflict::data_refused);
}

void SqliteSession::insert_rows(std::uint32_t number, std::span<const Row> rows, KeyConflict conflict) {
    if (rows.empty()) {
        return;
    }
    const Table &table = table_of(number);
    std::vector<std::uint32_t> columns(table.columns.size());
    for (std::uint32_t i = 0; i < columns.size(); ++i) {
        columns[i] = i;
    }
    Bulk &bulk = connection_.bulk("insert into " + name_of(number) + insertion(table, columns), all_storages(table));
    for (const Row &row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            bulk.value(i, row[i]);
        }
    }
    write({connection_, table, number}, bulk, rows, conflict);
}

void SqliteSession::write_blind(std::uint32_t number, const BlindWrite &blind) {
    if (blind.rows.empty()) {
        return;
    }
    const Table &table = table_of(number);
    const BlindShape &shape = blind.shape;
    std::string assignments;
    std::vector<Storage> storages;
    for (std::size_t i = 0; i < shape.columns.size(); ++i) {
        const Column &column = table.columns[shape.columns[i]];
        storages.push_back(storage_of(column.type));
        if (shape.kind == ChangeKind::upsert && shape.operations[i] != CellOperation::keep && !is_key(table, shape.columns[i])) {
            assignments += (assignments.empty() ? "" : ", ") + assignment(column, shape.operations[i]);
        }
    }
    const std::string sql = "insert into " + name_of(number) + " as target" + insertion(table, shape.columns) + " on conflict (" +
                            conflict_target(table) + ") do " + (assignments.empty() ? "nothing" : "update set " + assignments);
    Bulk &bulk = connection_.bulk(sql, storages);
    for (const Row &row : blind.rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            bulk.value(i, row[i]);
        }
    }
    write({connection_, table, number, shape.columns}, bulk, blind.rows);
}

} // namespace weir::store::sqlite
