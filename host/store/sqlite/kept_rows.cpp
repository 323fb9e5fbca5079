// SPDX-License-Identifier: Apache-2.0
#include "kept_rows.hpp"

namespace weir::store::sqlite {

namespace {

std::string name_of(std::size_t table) { return "temp.weir_kept_" + std::to_string(table); }

std::string key_name(std::size_t part) { return "k" + std::to_string(part); }

/// The row of `target` has the key of the kept row `k`, by its own columns' collations.
std::string same_row(const Table &table, const std::string &target) {
    std::string sql;
    for (std::size_t i = 0; i < table.primary_key.size(); ++i) {
        sql += (i ? " and " : "") + target + "." + quote_name(table.columns[table.primary_key[i]].name) + " = k." + key_name(i);
    }
    return sql;
}

} // namespace

KeptRows::KeptRows(Connection &connection, const Schema &schema, const std::function<bool(const Table &)> &stays,
                   const std::function<std::string(const Table &)> &missing)
    : connection_(connection), schema_(schema), stays_(stays), missing_(missing), counts_(schema.tables.size(), 0) {
    for (std::size_t number = 0; number < schema.tables.size(); ++number) {
        const Table &table = schema.tables[number];
        std::string keys;
        std::string index;
        for (std::size_t i = 0; i < table.primary_key.size(); ++i) {
            const Column &column = table.columns[table.primary_key[i]];
            keys += "t." + quote_name(column.name) + " as " + key_name(i) + ", ";
            index += (i ? ", " : "") + key_name(i) + (column.type == Type::citext ? " collate nocase" : "");
        }
        connection_.execute("create temporary table weir_kept_" + std::to_string(number) + " as select " + keys + "0 as level from " +
                            connection_.qualified(table.name) + " as t where 0");
        connection_.execute("create index " + name_of(number) + "_keys on weir_kept_" + std::to_string(number) + " (" + index + ")");
    }
    std::uint64_t found = 0;
    for (std::size_t table = 0; table < schema.tables.size(); ++table) {
        found += stays_(schema.tables[table]) ? follow(table, 0) : 0;
    }
    for (int level = 1; found > 0; ++level) {
        found = 0;
        for (std::size_t table = 0; table < schema.tables.size(); ++table) {
            found += counts_[table] > 0 ? follow(table, level) : 0;
        }
    }
}

// Notes to which rows that the shadow lacks the rows of a table refer: all of one that stays, at level 0, or those noted at a level.
std::uint64_t KeptRows::follow(std::size_t child, int level) {
    const Table &from = schema_.tables[child];
    std::uint64_t found = 0;
    for (const Reference &reference : from.references) {
        const Table &to = schema_.tables[reference.target_table];
        if (stays_(to)) {
            continue;
        }
        std::string keys;
        for (const std::uint32_t column : to.primary_key) {
            keys += "t." + quote_name(to.columns[column].name) + ", ";
        }
        std::string refers;
        for (std::size_t i = 0; i < reference.columns.size(); ++i) {
            refers += (i ? " and t." : "t.") + quote_name(to.columns[reference.target_columns[i]].name) + " = c." +
                      quote_name(from.columns[reference.columns[i]].name);
        }
        const std::string noted =
            level == 0 ? "" : " join " + name_of(child) + " as k on k.level = " + std::to_string(level) + " and " + same_row(from, "c");
        const std::uint64_t more = connection_.guard([&] {
            return connection_
                .query("insert into " + name_of(reference.target_table) + " select " + keys + std::to_string(level + 1) + " from " +
                           connection_.qualified(to.name) + " as t where " + missing_(to) + " and exists (select 1 from " +
                           connection_.qualified(from.name) + " as c" + noted + " where " + refers + ") and not " +
                           is_kept(reference.target_table),
                       {}, {})
                .run();
        });
        counts_[reference.target_table] += more;
        found += more;
    }
    return found;
}

std::string KeptRows::is_kept(std::size_t table) const {
    return "exists (select 1 from " + name_of(table) + " as k where " + same_row(schema_.tables[table], "t") + ")";
}

void KeptRows::forget() {
    for (std::size_t table = 0; table < schema_.tables.size(); ++table) {
        connection_.execute("drop table " + name_of(table));
    }
}

} // namespace weir::store::sqlite
