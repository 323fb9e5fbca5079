// SPDX-License-Identifier: Apache-2.0
/// @file
/// Tables in memory: every change is applied alone and in order, exactly as abi/call.h says.
#pragma once

#include "schema.hpp"

#include <functional>
#include <map>

namespace weir::testkit {

/// One cell of a stated change.
struct CellChange {
    std::uint32_t column = 0;    ///< place in its table
    std::uint32_t operation = 0; ///< WEIR_CELL_*
    Value value;                 ///< checked
};

/// A change as it was stated, checked and copied.
struct StatedChange {
    std::uint32_t table = 0;         ///< place in the descriptor
    std::uint32_t kind = 0;          ///< WEIR_CHANGE_*
    std::vector<Value> key;          ///< in the order of the primary key
    std::vector<CellChange> cells;   ///< the others
    std::optional<CellChange> guard; ///< `unless_later`
};

/// A row's cells in the order of its table's columns.
using Cells = std::vector<Value>;

/// The rows of a domain.
class Tables {
public:
    /// What an event gives to rows it makes.
    struct Origin {
        std::int64_t now = 0; ///< for WEIR_DEFAULT_NOW
        Uuid event_id;        ///< for WEIR_DEFAULT_NEW_ID
    };

    /// @param schema of a checked descriptor
    explicit Tables(std::vector<TableInfo> schema) : schema_(std::move(schema)), rows_(schema_.size()) {}

    /// The tables, in the descriptor's order.
    const std::vector<TableInfo> &schema() const noexcept { return schema_; }

    /// The rows of a table, sorted by key.
    const std::map<std::vector<Value>, Cells> &rows(std::uint32_t table) const { return rows_.at(table); }

    /// The row with this key; null where there is none.
    const Cells *find(std::uint32_t table, const std::vector<Value> &key) const {
        const auto at = rows_.at(table).find(comparable(table, key));
        return at == rows_.at(table).end() ? nullptr : &at->second;
    }

    /// Checks what the ABI says and copies it. @return the reason it is refused, or nothing
    std::optional<std::string> check(const weir_change_v1 &raw, StatedChange &out) const {
        if (raw.table >= schema_.size()) {
            return "the change names table " + std::to_string(raw.table) + ", which is not declared";
        }
        const TableInfo &table = schema_[raw.table];
        const auto wrong = [&table](const std::string &what) { return "table " + table.name + ": " + what; };
        if (raw.kind < WEIR_CHANGE_UPSERT || raw.kind > WEIR_CHANGE_ERASE) {
            return wrong("the change's kind is none of WEIR_CHANGE_*");
        }
        out = {raw.table, raw.kind, std::vector<Value>(table.primary_key.size()), {}, std::nullopt};
        std::set<std::uint32_t> stated;
        for (std::uint32_t i = 0; i < raw.cell_count; ++i) {
            const auto &cell =
                *reinterpret_cast<const weir_cell_v1 *>(reinterpret_cast<const char *>(raw.cells) + std::size_t{i} * raw.cell_stride);
            if (auto reason = take_cell(table, cell, out, stated)) {
                return wrong(*reason);
            }
        }
        for (const std::uint32_t column : table.primary_key) {
            if (!stated.contains(column)) {
                return wrong("the change does not name the key column " + table.columns[column].name);
            }
        }
        if (raw.kind == WEIR_CHANGE_UPSERT || raw.kind == WEIR_CHANGE_INSERT) {
            for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
                if (!table.columns[i].nullable && table.columns[i].default_kind == WEIR_DEFAULT_NONE && !stated.contains(i)) {
                    return wrong("column " + table.columns[i].name + " has no default and must be stated");
                }
            }
        }
        return raw.guard ? take_guard(table, *raw.guard, out) : std::nullopt;
    }

    /// Applies one change.
    /// @param change checked by `check`
    /// @param origin what rows that it makes are given
    /// @param stale  set where its guard turned it away
    /// @return the reason it is refused, or nothing; the row is as before then
    /// before then
    std::optional<std::string> apply(const StatedChange &change, const Origin &origin, bool &stale) {
        const auto key = comparable(change.table, change.key);
        auto &rows = rows_.at(change.table);
        const auto at = rows.find(key);
        if (at == rows.end()) {
            return change.kind == WEIR_CHANGE_UPSERT || change.kind == WEIR_CHANGE_INSERT ? make(change, key, origin) : std::nullopt;
        }
        if (change.kind == WEIR_CHANGE_INSERT) {
            return std::nullopt;
        }
        if (change.guard) {
            const auto *held = std::get_if<std::int64_t>(&at->second[change.guard->column]);
            if (held && *held > std::get<std::int64_t>(change.guard->value)) {
                stale = true;
                return std::nullopt;
            }
        }
        if (change.kind == WEIR_CHANGE_ERASE) {
            rows.erase(at);
            return std::nullopt;
        }
        Cells next = at->second;
        if (auto reason = change_cells(change, next, false)) {
            return reason;
        }
        at->second = std::move(next);
        return std::nullopt;
    }

    /// Puts a row back as it was, for an event that ends in a dead letter.
    void restore(std::uint32_t table, const std::vector<Value> &key, const std::optional<Cells> &row) {
        if (row) {
            rows_.at(table).insert_or_assign(comparable(table, key), *row);
        } else {
            rows_.at(table).erase(comparable(table, key));
        }
    }

    /// What the rows as a whole break: a unique constraint or a reference. Nothing where all is well.
    std::optional<std::string> broken_constraint() const {
        for (std::size_t t = 0; t < schema_.size(); ++t) {
            for (const IndexInfo &index : schema_[t].indexes) {
                if (auto reason = index.unique ? duplicate(t, index) : std::nullopt) {
                    return reason;
                }
            }
            for (const ReferenceInfo &reference : schema_[t].references) {
                if (auto reason = dangling(t, reference)) {
                    return reason;
                }
            }
        }
        return std::nullopt;
    }

    /// A key as it is compared: case-insensitive text in lower case.
    std::vector<Value> comparable(std::uint32_t table, std::vector<Value> key) const {
        for (std::size_t i = 0; i < key.size(); ++i) {
            fold(schema_[table].columns[schema_[table].primary_key[i]], key[i]);
        }
        return key;
    }

private:
    static void fold(const ColumnInfo &column, Value &value) {
        if (column.type == WEIR_TYPE_CITEXT && std::holds_alternative<std::string>(value)) {
            value = detail::lower(std::get<std::string>(value));
        }
    }

    static std::optional<std::string> take_cell(const TableInfo &table, const weir_cell_v1 &cell, StatedChange &out,
                                                std::set<std::uint32_t> &stated) {
        if (cell.column >= table.columns.size()) {
            return "the change names column " + std::to_string(cell.column) + ", which is not declared";
        }
        const ColumnInfo &column = table.columns[cell.column];
        if (!stated.insert(cell.column).second) {
            return "the change names column " + column.name + " twice";
        }
        const auto place = std::find(table.primary_key.begin(), table.primary_key.end(), cell.column);
        const bool in_key = place != table.primary_key.end();
        const bool fits = cell.operation == WEIR_CELL_SET ||
                          (!in_key && (cell.operation == WEIR_CELL_KEEP || (cell.operation == WEIR_CELL_ADD && column.additive()) ||
                                       ((cell.operation == WEIR_CELL_MAX || cell.operation == WEIR_CELL_MIN) && column.ordered())));
        if (!fits) {
            return "the operation on column " + column.name + " does not fit it";
        }
        if (!in_key && out.kind == WEIR_CHANGE_ERASE) {
            return "an erasure names key columns only";
        }
        Value value;
        ColumnInfo checked = column;
        checked.nullable = column.nullable || cell.operation == WEIR_CELL_ADD; // to add, null counts as 0
        if (auto reason = take_value(checked, cell, value)) {
            return reason;
        }
        if (in_key) {
            out.key[static_cast<std::size_t>(place - table.primary_key.begin())] = std::move(value);
        } else {
            out.cells.push_back({cell.column, cell.operation, std::move(value)});
        }
        return std::nullopt;
    }

    static std::optional<std::string> take_guard(const TableInfo &table, const weir_cell_v1 &cell, StatedChange &out) {
        if (out.kind == WEIR_CHANGE_INSERT) {
            return "table " + table.name + ": an insert has no guard";
        }
        if (cell.column >= table.columns.size() || !table.columns[cell.column].ordered() || (cell.flags & WEIR_CELL_IS_NULL)) {
            return "table " + table.name + ": a guard is a value of an int64, decimal or timestamp column";
        }
        Value value;
        if (auto reason = take_value(table.columns[cell.column], cell, value)) {
            return reason;
        }
        out.guard = CellChange{cell.column, WEIR_CELL_SET, std::move(value)};
        return std::nullopt;
    }

    std::optional<std::string> make(const StatedChange &change, const std::vector<Value> &key, const Origin &origin) {
        const TableInfo &table = schema_[change.table];
        Cells row(table.columns.size());
        for (std::size_t i = 0; i < row.size(); ++i) {
            const ColumnInfo &column = table.columns[i];
            if (column.default_kind == WEIR_DEFAULT_LITERAL) {
                row[i] = column.default_value;
            } else if (column.default_kind == WEIR_DEFAULT_NOW) {
                row[i] = origin.now;
            } else if (column.default_kind == WEIR_DEFAULT_NEW_ID) {
                row[i] = std::string(uuid_v5(origin.event_id, new_id_name(table, column, key)).text());
            }
        }
        for (std::size_t i = 0; i < change.key.size(); ++i) {
            row[table.primary_key[i]] = change.key[i];
        }
        if (auto reason = change_cells(change, row, true)) {
            return reason;
        }
        rows_[change.table].emplace(key, std::move(row));
        return std::nullopt;
    }

    static std::string new_id_name(const TableInfo &table, const ColumnInfo &column, const std::vector<Value> &key) {
        std::string name = table.name + "." + column.name;
        for (const Value &value : key) {
            const auto *integer = std::get_if<std::int64_t>(&value);
            const auto *text = std::get_if<std::string>(&value);
            const std::string part = integer ? std::to_string(*integer) : text ? *text : std::string();
            name += "/" + std::to_string(part.size()) + ":" + part;
        }
        return name;
    }

    std::optional<std::string> change_cells(const StatedChange &change, Cells &row, bool making) const {
        const TableInfo &table = schema_[change.table];
        for (const CellChange &cell : change.cells) {
            const ColumnInfo &column = table.columns[cell.column];
            Value &held = row[cell.column];
            if (cell.operation == WEIR_CELL_SET || (cell.operation == WEIR_CELL_KEEP && making)) {
                held = cell.value;
            } else if (cell.operation == WEIR_CELL_ADD) {
                std::int64_t sum = 0;
                const auto *before = std::get_if<std::int64_t>(&held);
                const auto *added = std::get_if<std::int64_t>(&cell.value);
                if (__builtin_add_overflow(before ? *before : 0, added ? *added : 0, &sum) || !detail::in_range(column, sum)) {
                    return "table " + table.name + ": column " + column.name + ": the sum is out of the type's range";
                }
                held = sum;
            } else if (cell.operation == WEIR_CELL_MAX || cell.operation == WEIR_CELL_MIN) {
                const auto *before = std::get_if<std::int64_t>(&held);
                const auto *other = std::get_if<std::int64_t>(&cell.value);
                if (other && (!before || (cell.operation == WEIR_CELL_MAX ? *other > *before : *other < *before))) {
                    held = *other;
                }
            }
        }
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (std::holds_alternative<std::monostate>(row[i]) && !table.columns[i].nullable) {
                return "table " + table.name + ": column " + table.columns[i].name + " must not be null";
            }
        }
        return std::nullopt;
    }

    /// The values of some columns as they are compared; nothing where one is null.
    std::optional<std::vector<Value>> projected(std::size_t table, const Cells &row, const std::vector<std::uint32_t> &columns) const {
        std::vector<Value> out;
        for (const std::uint32_t column : columns) {
            if (std::holds_alternative<std::monostate>(row[column])) {
                return std::nullopt;
            }
            fold(schema_[table].columns[column], out.emplace_back(row[column]));
        }
        return out;
    }
    std::optional<std::string> duplicate(std::size_t table, const IndexInfo &index) const {
        std::set<std::vector<Value>> seen;
        for (const auto &[key, row] : rows_[table]) {
            auto values = projected(table, row, index.columns);
            if (values && !seen.insert(std::move(*values)).second) {
                return "table " + schema_[table].name + ": two rows agree in the unique index " + index.name;
            }
        }
        return std::nullopt;
    }
    std::optional<std::string> dangling(std::size_t table, const ReferenceInfo &reference) const {
        std::set<std::vector<Value>> targets;
        for (const auto &[key, row] : rows_[reference.target]) {
            if (auto values = projected(reference.target, row, reference.target_columns)) {
                targets.insert(std::move(*values));
            }
        }
        for (const auto &[key, row] : rows_[table]) {
            const auto values = projected(table, row, reference.columns);
            if (values && !targets.contains(*values)) {
                return "table " + schema_[table].name + ": a row refers to a row of " + schema_[reference.target].name +
                       " that is not there";
            }
        }
        return std::nullopt;
    }

    std::vector<TableInfo> schema_;
    std::vector<std::map<std::vector<Value>, Cells>> rows_;
};

} // namespace weir::testkit
