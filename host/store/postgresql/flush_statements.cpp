// SPDX-License-Identifier: Apache-2.0
#include "flush_statements.hpp"

#include <algorithm>
#include <numeric>

namespace weir::store::postgresql {

namespace {

/// Columns of many rows as parameters.
class Columns {
public:
    /// @param value gives the value of one row
    template <class Rows, class ValueOf> void add(const ColumnLayout &column, const Rows &rows, ValueOf value) {
        forms.push_back(column.form);
        Array array(column.form, column.scale);
        array.reserve(rows.size());
        for (const auto &row : rows) {
            array.value(value(row));
        }
        parameters.push_back(array.take());
    }
    /// The key's columns, comparable.
    template <class Rows, class ValueOf> void add_keys(const TableLayout &table, const Rows &rows, ValueOf value) {
        for (std::size_t part = 0; part < table.table->primary_key.size(); ++part) {
            const ColumnLayout &column = table.key(part);
            if (!column.folded) {
                add(column, rows, [&](const auto &row) -> const Value & { return value(row, part); });
                continue;
            }
            add(column, rows, [&](const auto &row) { return Value(fold_case(std::get<std::string>(value(row, part)))); });
        }
    }
    std::string next() const { return "given.c" + std::to_string(forms.size()); }

    std::vector<Form> forms;
    std::vector<Parameter> parameters;
};

bool is_key(const Table &table, std::uint32_t column) {
    return std::find(table.primary_key.begin(), table.primary_key.end(), column) != table.primary_key.end();
}

/// "(a, b) select given.c0, given.c1 from unnest(...)" for whole rows.
std::string insertion(const TableLayout &table, std::span<const std::uint32_t> columns, std::span<const Row> rows, Columns &given_columns) {
    std::string names;
    std::string values;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const ColumnLayout &column = table.columns[columns[i]];
        names += (i ? ", " : "") + column.name;
        values += (i ? ", " : "") + column.write(given_columns.next());
        given_columns.add(column, rows, [i](const Row &row) -> const Value & { return row[i]; });
    }
    return " (" + names + ") select " + values + " from " + given(given_columns.forms);
}

std::vector<std::uint32_t> all_columns(const TableLayout &table) {
    std::vector<std::uint32_t> columns(table.columns.size());
    std::iota(columns.begin(), columns.end(), 0U);
    return columns;
}

std::string assignment(const ColumnLayout &column, CellOperation operation) {
    const std::string here = "target." + column.name;
    const std::string given = "excluded." + column.name;
    switch (operation) {
    case CellOperation::add: // a null on either side counts as absent
        return column.name + " = coalesce(" + here + " + " + given + ", " + given + ", " + here + ")";
    case CellOperation::max:
        return column.name + " = greatest(" + here + ", " + given + ")";
    case CellOperation::min:
        return column.name + " = least(" + here + ", " + given + ")";
    case CellOperation::set:
    case CellOperation::keep:
        break;
    }
    return column.name + " = " + given;
}

} // namespace

void FlushStatements::put(Command command, WrittenRows rows, std::string otherwise) {
    command.meaning = Meaning::rows;
    commands_.push_back(std::move(command));
    written_.push_back(rows);
    otherwise_.push_back(std::move(otherwise));
}

std::optional<std::string> FlushStatements::unexpected(std::size_t statement, std::uint64_t touched) const {
    const std::string &otherwise = otherwise_[statement];
    return otherwise.empty() || written_[statement].rows.size() == touched ? std::nullopt : std::optional(otherwise);
}

void FlushStatements::erase(const TableLayout &table, const TableFlush &flush) {
    if (flush.erased.empty()) {
        return;
    }
    Columns keys;
    keys.add_keys(table, flush.erased, [](const Key &key, std::size_t part) -> const Value & { return key[part]; });
    put({"delete from " + table.name + " target using " + given(keys.forms) + " where " + table.key_matches("target"),
         std::move(keys.parameters)},
        {&table, flush.table, table.table->primary_key, flush.erased}, {});
}

void FlushStatements::change(const TableLayout &table, const TableFlush &flush) {
    const std::vector<std::uint32_t> &columns = flush.changed_columns; // a part of the key among them is spelled in another case now
    if (flush.changed.empty() || columns.empty()) {
        return;
    }
    const bool touches_unique = std::any_of(table.table->indexes.begin(), table.table->indexes.end(), [&](const Index &index) {
        return index.unique && std::any_of(index.columns.begin(), index.columns.end(), [&](std::uint32_t column) {
                   return std::find(columns.begin(), columns.end(), column) != columns.end();
               });
    });
    if (touches_unique && flush.changed.size() > 1) {
        change_anew(table, flush);
        return;
    }
    Columns given_columns;
    given_columns.add_keys(table, flush.changed,
                           [&](const Row &row, std::size_t part) -> const Value & { return row[table.table->primary_key[part]]; });
    std::string assignments;
    for (const std::uint32_t number : columns) {
        const ColumnLayout &column = table.columns[number];
        assignments += (assignments.empty() ? "" : ", ") + column.name + " = " + column.write(given_columns.next());
        given_columns.add(column, flush.changed, [number](const Row &row) -> const Value & { return row[number]; });
    }
    put({"update " + table.name + " target set " + assignments + " from " + given(given_columns.forms) + " where " +
             table.key_matches("target"),
         std::move(given_columns.parameters)},
        {&table, flush.table, {}, flush.changed}, "rows of " + table.plain + " that were to be changed are gone");
}

/// Values of a unique column may go from row to row within a batch, and the server looks at each row as it is written: so the old rows go
/// first. Columns that aren't declared come back as they were; sorting has all rows gone before the first one comes back.
void FlushStatements::change_anew(const TableLayout &table, const TableFlush &flush) {
    const std::vector<Row> &rows = flush.changed;
    Columns keys;
    keys.add_keys(table, rows, [&](const Row &row, std::size_t part) -> const Value & { return row[table.table->primary_key[part]]; });
    std::string returned = "given.n";
    std::string kept;
    for (const std::string &name : table.undeclared) {
        kept += ", " + name;
        returned += ", target." + name;
    }
    std::string names;
    std::string values;
    for (const ColumnLayout &column : table.columns) {
        const std::size_t number = keys.forms.size() - table.table->primary_key.size();
        names += (number ? ", " : "") + column.name;
        values += (number ? ", " : "") + column.write(keys.next());
        keys.add(column, rows, [number](const Row &row) -> const Value & { return row[number]; });
    }
    std::string given_back;
    for (const std::string &name : table.undeclared) {
        given_back += ", gone." + name;
    }
    const std::string source = given(keys.forms, true);
    put({"with gone as (delete from " + table.name + " target using " + source + " where " + table.key_matches("target") + " returning " +
             returned + "), sorted as materialized (select * from gone order by n) insert into " + table.name + " (" + names + kept +
             ") select " + values + given_back + " from sorted gone join " + source + " on given.n = gone.n order by gone.n",
         std::move(keys.parameters)},
        {&table, flush.table, {}, rows}, "rows of " + table.plain + " that were to be changed are gone");
}

void FlushStatements::create(const TableLayout &table, const TableFlush &flush) {
    const std::vector<Row> &rows = flush.created;
    if (rows.empty()) {
        return;
    }
    Columns given_columns;
    const std::string sql = "insert into " + table.name + insertion(table, all_columns(table), rows, given_columns) + " on conflict (" +
                            table.conflict_target() + ") do nothing";
    put({sql, std::move(given_columns.parameters)}, {&table, flush.table, {}, rows},
        "a row of " + table.plain + " that was absent exists by now");
}

void FlushStatements::write_blind(const TableLayout &table, const TableFlush &flush, const BlindWrite &write) {
    if (write.rows.empty()) {
        return;
    }
    const BlindShape &shape = write.shape;
    std::string assignments;
    for (std::size_t i = 0; i < shape.columns.size(); ++i) {
        if (shape.kind == ChangeKind::upsert && shape.operations[i] != CellOperation::keep && !is_key(*table.table, shape.columns[i])) {
            assignments += (assignments.empty() ? "" : ", ") + assignment(table.columns[shape.columns[i]], shape.operations[i]);
        }
    }
    Columns given_columns;
    const std::string sql = "insert into " + table.name + " as target" + insertion(table, shape.columns, write.rows, given_columns) +
                            " on conflict (" + table.conflict_target() + ") do " +
                            (assignments.empty() ? "nothing" : "update set " + assignments);
    put({sql, std::move(given_columns.parameters)}, {&table, flush.table, shape.columns, write.rows}, {});
}

} // namespace weir::store::postgresql
