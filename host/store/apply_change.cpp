// SPDX-License-Identifier: Apache-2.0
#include "store/changes.hpp"

#include "cell_arithmetic.hpp"
#include "row_creation.hpp"

namespace weir::store {

namespace {

using Refused = std::optional<std::string>;

/// What a cell becomes. @return false where an addition leaves the column's range
bool evaluate(const Column &column, const Cell &cell, const Value &current, Value &out) {
    switch (cell.operation) {
    case CellOperation::set:
    case CellOperation::keep:
        out = cell.value;
        return true;
    case CellOperation::add: {
        const std::optional<std::int64_t> sum = add_cells(column, integer_of(current), integer_of(cell.value));
        if (!sum) {
            return false;
        }
        out = *sum;
        return true;
    }
    case CellOperation::max:
    case CellOperation::min:
        if (const Integer extreme = extreme_of_cells(cell.operation, integer_of(current), integer_of(cell.value))) {
            out = *extreme;
        } else {
            out = std::monostate();
        }
        return true;
    }
    return true;
}

/// Whether a cell can be evaluated, so that a row is either changed in all of a change's cells or in none.
Refused check_cell(const Column &column, const Cell &cell, const Value &current) {
    if (cell.operation == CellOperation::add) {
        if (!add_cells(column, integer_of(current), integer_of(cell.value))) {
            return "column " + column.name + ": the sum is beyond the range of its type";
        }
        return std::nullopt;
    }
    const bool may_leave_null = cell.operation == CellOperation::set || cell.operation == CellOperation::keep || is_null(current);
    if (may_leave_null && is_null(cell.value) && !column.nullable) {
        return "column " + column.name + ": is null and may not be";
    }
    return std::nullopt;
}

Refused apply_to_new(const Table &table, const Change &change, const Origin &origin, std::optional<Row> &row) {
    Row made = row_of_defaults(table, change, origin);
    for (const Cell &cell : change.cells) {
        const Column &column = table.columns[cell.column];
        Value &value = made[cell.column];
        if (Refused reason = check_cell(column, cell, value)) {
            return reason;
        }
        evaluate(column, cell, value, value);
    }
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (is_null(made[i]) && !table.columns[i].nullable) {
            return "column " + table.columns[i].name + ": is null and may not be";
        }
    }
    row = std::move(made);
    return std::nullopt;
}

Refused apply_to_existing(const Table &table, const Change &change, Row &row) {
    for (const Cell &cell : change.cells) {
        if (cell.operation == CellOperation::keep) {
            continue;
        }
        if (Refused reason = check_cell(table.columns[cell.column], cell, row[cell.column])) {
            return reason;
        }
    }
    for (const Cell &cell : change.cells) {
        if (cell.operation != CellOperation::keep) {
            evaluate(table.columns[cell.column], cell, row[cell.column], row[cell.column]);
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<std::string> apply_change(const Table &table, const Change &change, const Origin &origin, std::optional<Row> &row,
                                        bool &stale) {
    if (!row) {
        const bool creates = change.kind == ChangeKind::upsert || change.kind == ChangeKind::insert;
        return creates ? apply_to_new(table, change, origin, row) : std::nullopt;
    }
    if (change.kind == ChangeKind::insert) {
        return std::nullopt;
    }
    if (change.guard) {
        const Integer held = integer_of((*row)[change.guard->column]);
        if (held && *held > integer_of(change.guard->value)) {
            stale = true;
            return std::nullopt;
        }
    }
    if (change.kind == ChangeKind::erase) {
        row.reset();
        return std::nullopt;
    }
    return apply_to_existing(table, change, *row);
}

} // namespace weir::store
