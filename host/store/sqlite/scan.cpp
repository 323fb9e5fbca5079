// SPDX-License-Identifier: Apache-2.0
#include "columns.hpp"
#include "session.hpp"

#include <algorithm>
#include <array>

namespace weir::store::sqlite {

namespace {

enum class Compare : std::uint8_t { greater, greater_or_equal, less_or_equal };

/// The condition that a row stands after, from or up to a position, null before everything. Parameters are appended to `values`.
class Bound {
public:
    Bound(const Table &table, std::vector<Storage> &storages, Key &values) : table_(table), storages_(storages), values_(values) {}

    std::string sql(const std::vector<std::uint32_t> &columns, const Key &position, Compare compare) {
        const std::size_t count = std::min(columns.size(), position.size());
        const bool has_nulls = std::any_of(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(count),
                                           [&](std::uint32_t column) { return table_.columns[column].nullable; });
        return has_nulls ? expanded(columns, position, count, compare) : row_value(columns, position, count, compare);
    }

private:
    /// Numbered, because the terms below aren't written in the order in which they are made.
    std::string parameter(std::uint32_t column, const Value &value) {
        const Storage storage = storage_of(table_.columns[column].type);
        storages_.push_back(storage);
        values_.push_back(value);
        const std::string name = "?" + std::to_string(values_.size());
        return storage == Storage::bytes ? "cast(" + name + " as blob)" : name;
    }

    /// (a, b) > (?, ?): seeks along the index.
    std::string row_value(const std::vector<std::uint32_t> &columns, const Key &position, std::size_t count, Compare compare) {
        constexpr std::array<const char *, 3> kOperators = {" > ", " >= ", " <= "};
        std::string left;
        std::string right;
        for (std::size_t i = 0; i < count; ++i) {
            left += (i ? ", " : "") + quote_name(table_.columns[columns[i]].name);
            right += (i ? ", " : "") + parameter(columns[i], position[i]);
        }
        return "(" + left + ")" + kOperators[static_cast<std::size_t>(compare)] + "(" + right + ")";
    }

    /// Row values know no nulls: a > ? or (a is ? and (b > ? or ...)), with a first term that seeks.
    std::string expanded(const std::vector<std::uint32_t> &columns, const Key &position, std::size_t count, Compare compare) {
        std::string sql;
        std::string close;
        if (!std::holds_alternative<std::monostate>(position[0])) {
            const std::string name = quote_name(table_.columns[columns[0]].name);
            if (compare == Compare::less_or_equal) {
                sql = "(" + name + " <= " + parameter(columns[0], position[0]) + " or " + name + " is null) and ";
            } else {
                sql = name + " >= " + parameter(columns[0], position[0]) + " and ";
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            const std::string name = quote_name(table_.columns[columns[i]].name);
            const std::string is_equal =
                i + 1 == count && compare == Compare::greater ? "" : name + " is " + parameter(columns[i], position[i]);
            const std::string is_beyond = beyond(columns[i], position[i], compare);
            if (i + 1 == count) {
                sql += compare == Compare::greater ? is_beyond : "(" + is_equal + " or " + is_beyond + ")";
            } else {
                sql += "((" + is_equal + " and ";
                close = ") or " + is_beyond + ")" + close;
            }
        }
        return sql + close;
    }

    std::string beyond(std::uint32_t column, const Value &value, Compare compare) {
        const std::string name = quote_name(table_.columns[column].name);
        const bool is_null = std::holds_alternative<std::monostate>(value);
        if (compare == Compare::less_or_equal) {
            return is_null ? "false" : "(" + name + " < " + parameter(column, value) + " or " + name + " is null)";
        }
        return is_null ? name + " is not null" : name + " > " + parameter(column, value);
    }

    const Table &table_;
    std::vector<Storage> &storages_;
    Key &values_;
};

} // namespace

std::vector<Row> SqliteSession::scan(const Scan &scan) {
    const Table &table = table_of(scan.table);
    std::vector<std::uint32_t> order;
    std::vector<std::uint32_t> bounds = table.primary_key;
    if (scan.index) {
        if (*scan.index >= table.indexes.size()) {
            throw SchemaWrong("table " + table.name + " has no index number " + std::to_string(*scan.index));
        }
        bounds = table.indexes[*scan.index].columns;
        order = bounds;
    }
    order.insert(order.end(), table.primary_key.begin(), table.primary_key.end());

    std::vector<Storage> storages;
    Key values;
    Bound bound(table, storages, values);
    std::string where;
    const auto condition = [&](const std::vector<std::uint32_t> &columns, const Key &position, Compare compare) {
        if (!position.empty()) {
            where += (where.empty() ? " where " : " and ") + ("(" + bound.sql(columns, position, compare) + ")");
        }
    };
    condition(bounds, scan.from, Compare::greater_or_equal);
    condition(bounds, scan.to, Compare::less_or_equal);
    condition(order, scan.after, Compare::greater);
    std::string by;
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (std::find(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(i), order[i]) ==
            order.begin() + static_cast<std::ptrdiff_t>(i)) {
            by += (by.empty() ? "" : ", ") + quote_name(table.columns[order[i]].name);
        }
    }
    storages.push_back(Storage::integer);
    values.emplace_back(static_cast<std::int64_t>(scan.limit));

    std::vector<Row> rows;
    connection_.guard([&] {
        Query &query = connection_.query("select " + all_columns(table) + " from " + name_of(scan.table) + where + " order by " + by +
                                             " limit ?" + std::to_string(values.size()),
                                         storages, all_storages(table));
        for (std::size_t i = 0; i < values.size(); ++i) {
            query.value(i, values[i]);
        }
        query.each([&](Query &result) { rows.push_back(take_row(result, table.columns.size())); });
    });
    return rows;
}

} // namespace weir::store::sqlite
