// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include <algorithm>
#include <array>

namespace weir::store::postgresql {

namespace {

enum class Compare : std::uint8_t { greater, greater_or_equal, less_or_equal };

struct Bound {
    std::uint32_t column;
    Value value;
};

/// The condition that a row stands after, from or up to a position, null before everything. Parameters are appended to `values`.
class Condition {
public:
    Condition(const TableLayout &table, std::vector<Bound> &values) : table_(table), values_(values) {}

    std::string sql(const std::vector<std::uint32_t> &columns, const Key &position, Compare compare) {
        const std::size_t count = std::min(columns.size(), position.size());
        const bool has_nulls = std::any_of(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(count),
                                           [&](std::uint32_t column) { return table_.columns[column].nullable; });
        return has_nulls ? expanded(columns, position, count, compare) : row_value(columns, position, count, compare);
    }

private:
    std::string name_of(std::uint32_t column) const { return table_.columns[column].comparable("target"); }

    /// Each parameter has a name of its own, since SOCI wants them in the order of the text: see `number_parameters`.
    std::string parameter(std::uint32_t column, const Value &value) {
        values_.push_back({column, value});
        return "cast(@" + std::to_string(values_.size() - 1) + "@ as " + type_of(table_.columns[column].form) + ")";
    }

    /// (a, b) > (?, ?): seeks along the index.
    std::string row_value(const std::vector<std::uint32_t> &columns, const Key &position, std::size_t count, Compare compare) {
        constexpr std::array<const char *, 3> kOperators = {" > ", " >= ", " <= "};
        std::string left;
        std::string right;
        for (std::size_t i = 0; i < count; ++i) {
            left += (i ? ", " : "") + name_of(columns[i]);
            right += (i ? ", " : "") + parameter(columns[i], position[i]);
        }
        return "(" + left + ")" + kOperators[static_cast<std::size_t>(compare)] + "(" + right + ")";
    }

    /// Row values know no nulls: a > ? or (a = ? and (b > ? or ...)).
    std::string expanded(const std::vector<std::uint32_t> &columns, const Key &position, std::size_t count, Compare compare) {
        std::string sql;
        std::string close;
        for (std::size_t i = 0; i < count; ++i) {
            const bool is_null = std::holds_alternative<std::monostate>(position[i]);
            const std::string name = name_of(columns[i]);
            const std::string is_equal = is_null ? name + " is null" : name + " = " + parameter(columns[i], position[i]);
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
        const std::string name = name_of(column);
        const bool is_null = std::holds_alternative<std::monostate>(value);
        if (compare == Compare::less_or_equal) {
            return is_null ? "false" : "(" + name + " < " + parameter(column, value) + " or " + name + " is null)";
        }
        return is_null ? name + " is not null" : name + " > " + parameter(column, value);
    }

    const TableLayout &table_;
    std::vector<Bound> &values_;
};

/// Brings parameters into the order in which the text has them: "@2@" becomes ":p0" where it comes first.
std::string number_parameters(const std::string &sql, const std::vector<Bound> &values, std::vector<Bound> &ordered) {
    std::string out;
    for (std::size_t at = 0; at < sql.size(); ++at) {
        if (sql[at] != '@') {
            out += sql[at];
            continue;
        }
        const auto end = sql.find('@', at + 1);
        out += ":p" + std::to_string(ordered.size());
        ordered.push_back(values[std::stoul(sql.substr(at + 1, end - at - 1))]);
        at = end;
    }
    return out;
}

} // namespace

std::vector<Row> PostgresqlSession::scan(const Scan &scan) {
    const TableLayout &table = table_of(scan.table);
    const std::vector<std::uint32_t> &key = table.table->primary_key;
    std::vector<std::uint32_t> order;
    std::vector<std::uint32_t> bounds = key;
    if (scan.index) {
        if (*scan.index >= table.table->indexes.size()) {
            throw SchemaWrong("table " + table.plain + " has no index number " + std::to_string(*scan.index));
        }
        bounds = table.table->indexes[*scan.index].columns;
        order = bounds;
    }
    order.insert(order.end(), key.begin(), key.end());

    std::vector<Bound> values;
    Condition conditions(table, values);
    std::string where;
    const auto condition = [&](const std::vector<std::uint32_t> &columns, const Key &position, Compare compare) {
        if (!position.empty()) {
            where += (where.empty() ? " where (" : " and (") + conditions.sql(columns, position, compare) + ")";
        }
    };
    condition(bounds, scan.from, Compare::greater_or_equal);
    condition(bounds, scan.to, Compare::less_or_equal);
    condition(order, scan.after, Compare::greater);
    std::string by;
    for (std::size_t i = 0; i < order.size(); ++i) {
        const auto here = order.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::find(order.begin(), here, order[i]) == here) {
            const ColumnLayout &column = table.columns[order[i]];
            by += (by.empty() ? "" : ", ") + column.comparable("target") + (column.nullable ? " nulls first" : "");
        }
    }
    std::vector<Bound> ordered;
    where = number_parameters(where, values, ordered);
    const std::string sql = "select " + table.all_columns("target") + " from " + table.name + " target" + where + " order by " + by +
                            " limit cast(:count as bigint)";

    std::vector<Row> rows;
    within_transaction([&] {
        Connection &connection = live();
        connection.guard([&] {
            Query &query = connection.query(sql, ordered.size() + 1, table.columns.size());
            for (std::size_t i = 0; i < ordered.size(); ++i) {
                const ColumnLayout &column = table.columns[ordered[i].column];
                const auto *text = std::get_if<std::string>(&ordered[i].value);
                query.value(i, column.form, column.scale, text && column.folded ? Value(fold_case(*text)) : ordered[i].value);
            }
            query.integer(ordered.size(), scan.limit);
            query.each([&](Query &result) {
                Row &row = rows.emplace_back();
                row.reserve(table.columns.size());
                for (std::size_t i = 0; i < table.columns.size(); ++i) {
                    row.push_back(result.take(i, table.columns[i].form, table.columns[i].scale));
                }
            });
        });
    });
    return rows;
}

} // namespace weir::store::postgresql
