// SPDX-License-Identifier: Apache-2.0
#include "kept_rows.hpp"

#include <algorithm>

namespace weir::store::postgresql {

namespace {

/// Where a row lies, also where its table is in partitions.
std::string place_of(const std::string &target) { return "(cast(" + target + ".tableoid as text) || cast(" + target + ".ctid as text))"; }

std::string list_of(const std::set<std::string> &rows) {
    std::string list;
    for (const std::string &row : rows) {
        list += (list.empty() ? "" : " ") + row;
    }
    return list;
}

constexpr const char *kGiven = "(select unnest(string_to_array(:a, ' ')))";

/// As references compare: texts byte by byte, whatever collations the two columns have.
std::string compared(const ColumnLayout &column, const std::string &target) {
    if (column.folded) {
        return column.comparable(target);
    }
    return column.form == Form::text ? "cast(" + target + "." + column.name + " as text) collate \"C\"" : target + "." + column.name;
}

} // namespace

std::string refers(const TableLayout &from, const Reference &reference, const TableLayout &to) {
    std::string sql;
    for (std::size_t i = 0; i < reference.columns.size(); ++i) {
        sql += (i ? " and " : "") + compared(to.columns[reference.target_columns[i]], "t") + " = " +
               compared(from.columns[reference.columns[i]], "c");
    }
    return sql;
}

KeptRows::KeptRows(Connection &connection, const Layout &layout, const std::vector<bool> &stays, const std::vector<std::string> &missing)
    : connection_(connection), layout_(layout), stays_(stays), missing_(missing), rows_(layout.tables.size()) {
    std::vector<Rows> found(rows_.size());
    for (std::size_t table = 0; table < rows_.size(); ++table) {
        if (stays_[table]) {
            follow(table, nullptr, found);
        }
    }
    while (std::any_of(found.begin(), found.end(), [](const Rows &rows) { return !rows.empty(); })) {
        std::vector<Rows> further(rows_.size());
        for (std::size_t table = 0; table < rows_.size(); ++table) {
            rows_[table].insert(found[table].begin(), found[table].end());
        }
        for (std::size_t table = 0; table < rows_.size(); ++table) {
            if (!found[table].empty()) {
                follow(table, &found[table], further);
            }
        }
        found = std::move(further);
    }
}

// Finds to which rows that the shadow lacks the rows of a table refer, all or only some.
void KeptRows::follow(std::size_t child, const Rows *only, std::vector<Rows> &found) {
    const TableLayout &from = layout_.tables[child];
    for (const Reference &reference : from.table->references) {
        const std::size_t parent = reference.target_table;
        if (stays_[parent]) {
            continue;
        }
        const TableLayout &to = layout_.tables[parent];
        const std::string which = only ? " and " + place_of("c") + " in " + kGiven : std::string();
        connection_.guard([&] {
            Query &query =
                connection_.query("select " + place_of("t") + " from " + to.name + " as t where " + missing_[parent] +
                                      " and exists (select from " + from.name + " as c where " + refers(from, reference, to) + which + ")",
                                  only ? 1 : 0, 1);
            if (only) {
                query.text(0, list_of(*only));
            }
            query.each([&](Query &row) {
                std::string place = row.take_text(0);
                if (!rows_[parent].contains(place)) {
                    found[parent].insert(std::move(place));
                }
            });
        });
    }
}

std::string KeptRows::isnt_kept() { return place_of("t") + " not in " + kGiven; }

std::string KeptRows::list(std::size_t table) const { return list_of(rows_[table]); }

} // namespace weir::store::postgresql
