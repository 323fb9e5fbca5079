// SPDX-License-Identifier: Apache-2.0
// A change against its table, before anything is evaluated.
#include "store/changes.hpp"

#include "cell_arithmetic.hpp"

#include <algorithm>
#include <cstdint>

namespace weir::store {

namespace {

using Refused = std::optional<std::string>;
using ColumnSet = std::uint64_t; // a table has at most 64 columns
static_assert(sizeof(ColumnSet) * 8 >= 64);

constexpr ColumnSet bit(std::uint32_t column) noexcept { return ColumnSet{1} << column; }

bool can_be_compared(Type type) noexcept { return type == Type::int64 || type == Type::decimal || type == Type::timestamp; }

Refused check_operation(const Column &column, Cell &cell) {
    switch (cell.operation) {
    case CellOperation::set:
    case CellOperation::keep:
        return std::nullopt;
    case CellOperation::add:
        if (column.type != Type::int64 && column.type != Type::decimal) {
            return "column " + column.name + ": add is for int64 and decimal columns, not for " + std::string(type_name(column.type));
        }
        if (is_null(cell.value)) {
            cell.value = std::int64_t{0}; // null counts as 0; the canonical form says so
        }
        return std::nullopt;
    case CellOperation::max:
    case CellOperation::min:
        if (!can_be_compared(column.type)) {
            return "column " + column.name + ": max and min are for int64, decimal and timestamp columns, not for " +
                   std::string(type_name(column.type));
        }
        return std::nullopt;
    }
    return "column " + column.name + ": the operation " + std::to_string(static_cast<unsigned>(cell.operation)) + " is unknown";
}

Refused check_key(const Table &table, Key &key) {
    if (key.size() != table.primary_key.size()) {
        return "the primary key has " + std::to_string(table.primary_key.size()) + " columns, the change states " +
               std::to_string(key.size());
    }
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (Refused reason = canonicalise(table.columns[table.primary_key[i]], key[i])) {
            return reason;
        }
    }
    return std::nullopt;
}

Refused check_cells(const Table &table, ColumnSet key, std::vector<Cell> &cells, ColumnSet &stated) {
    for (Cell &cell : cells) {
        if (cell.column >= table.columns.size()) {
            return "column " + std::to_string(cell.column) + " does not exist";
        }
        const Column &column = table.columns[cell.column];
        if ((key & bit(cell.column)) != 0) {
            return "column " + column.name + ": is part of the primary key and can't be changed";
        }
        if ((stated & bit(cell.column)) != 0) {
            return "column " + column.name + ": is stated twice";
        }
        stated |= bit(cell.column);
        if (Refused reason = check_operation(column, cell)) {
            return reason;
        }
        if (Refused reason = canonicalise(column, cell.value)) {
            return reason;
        }
    }
    return std::nullopt;
}

Refused check_guard(const Table &table, ChangeKind kind, Guard &guard) {
    if (kind == ChangeKind::insert) {
        return "insert takes no guard: it never changes a row that is there";
    }
    if (guard.column >= table.columns.size()) {
        return "the guard's column " + std::to_string(guard.column) + " does not exist";
    }
    const Column &column = table.columns[guard.column];
    if (!can_be_compared(column.type)) {
        return "column " + column.name + ": a guard compares int64, decimal and timestamp columns, not " +
               std::string(type_name(column.type));
    }
    if (is_null(guard.value)) {
        return "column " + column.name + ": a guard can't be null";
    }
    return canonicalise(column, guard.value);
}

/// What makes a row must say everything that has neither null nor a default to fall back on.
Refused check_complete(const Table &table, ColumnSet stated) {
    for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
        const Column &column = table.columns[i];
        if (!column.nullable && column.default_kind == Default::none && (stated & bit(i)) == 0) {
            return "column " + column.name + ": must be stated, it is neither nullable nor has a default";
        }
    }
    return std::nullopt;
}

Refused check_against(const Table &table, Change &change) {
    if (change.kind < ChangeKind::upsert || change.kind > ChangeKind::erase) {
        return "the kind " + std::to_string(static_cast<unsigned>(change.kind)) + " of change is unknown";
    }
    if (Refused reason = check_key(table, change.key)) {
        return reason;
    }
    if (change.kind == ChangeKind::erase && !change.cells.empty()) {
        return "an erasure states the key's cells only";
    }
    ColumnSet key = 0;
    for (const std::uint32_t column : table.primary_key) {
        key |= bit(column);
    }
    ColumnSet stated = key;
    if (Refused reason = check_cells(table, key, change.cells, stated)) {
        return reason;
    }
    if (change.guard) {
        if (Refused reason = check_guard(table, change.kind, *change.guard)) {
            return reason;
        }
    }
    const bool creates = change.kind == ChangeKind::upsert || change.kind == ChangeKind::insert;
    return creates ? check_complete(table, stated) : std::nullopt;
}

} // namespace

std::optional<std::string> check_change(const Schema &schema, Change &change) {
    if (change.table >= schema.tables.size()) {
        return "table " + std::to_string(change.table) + " does not exist";
    }
    const Table &table = schema.tables[change.table];
    if (Refused reason = check_against(table, change)) {
        return "table " + table.name + ": " + *reason;
    }
    return std::nullopt;
}

} // namespace weir::store
