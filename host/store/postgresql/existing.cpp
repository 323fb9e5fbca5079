// SPDX-License-Identifier: Apache-2.0
#include "existing.hpp"

#include <algorithm>
#include <cctype>

namespace weir::store::postgresql {

namespace {

using Tables = std::map<std::string, ExistingTable>;

void read_columns(Connection &connection, const std::string &schema, Tables &tables) {
    connection
        .query("select c.relname, c.relkind, a.attname, format_type(a.atttypid, null), a.atttypmod, a.attnotnull, "
               "a.atthasdef or a.attidentity <> '', a.attgenerated <> '', t.typtype = 'e', coalesce(l.collname, ''), "
               "coalesce((select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = "
               "t.oid), '') "
               "from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
               "left join pg_type t on t.oid = a.atttypid left join pg_collation l on l.oid = a.attcollation "
               "where c.relnamespace = (select oid from pg_namespace where nspname = :schema) and c.relkind in ('r', 'p', 'v', 'm', 'f') "
               "order by c.relname, a.attnum",
               1, 11)
        .text(0, schema)
        .each([&](Query &row) {
            ExistingTable &table = tables[row.take_text(0)];
            table.kind = row.take_text(1)[0];
            if (row.is_null(2)) {
                return;
            }
            ExistingColumn &column = table.columns.emplace_back();
            column.name = row.take_text(2);
            column.type = row.take_text(3);
            column.modifier = static_cast<int>(row.take_integer(4));
            column.not_null = row.take_boolean(5);
            column.has_default = row.take_boolean(6);
            column.generated = row.take_boolean(7);
            column.is_enumeration = row.take_boolean(8);
            column.collation = row.take_text(9);
            column.labels = row.take_text(10);
        });
}

std::string plain_expression(const std::string &text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.compare(i, 6, "::text") == 0) {
            i += 5;
        } else if (const char c = text[i]; c != '(' && c != ')' && c != '"' && c != ' ') {
            out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
    }
    return out;
}

void read_indexes(Connection &connection, const std::string &schema, Tables &tables) {
    connection
        .query("select t.relname, c.relname, i.indisunique, i.indpred is not null, k.n, pg_get_indexdef(i.indexrelid, k.n, true) "
               "from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid, "
               "generate_series(1, i.indnkeyatts) as k(n) "
               "where t.relnamespace = (select oid from pg_namespace where nspname = :schema) and i.indisvalid order by 1, 2, k.n",
               1, 6)
        .text(0, schema)
        .each([&](Query &row) {
            ExistingTable &table = tables[row.take_text(0)];
            if (row.take_integer(4) == 1) {
                table.indexes.push_back({row.take_text(1), row.take_boolean(2), row.take_boolean(3), {}});
            }
            table.indexes.back().columns.push_back(plain_expression(row.take_text(5)));
        });
}

/// Constraints with their columns, one row a column.
void read_constraints(Connection &connection, const std::string &schema, Tables &tables) {
    connection
        .query(
            "select t.relname, n.conname, n.contype, coalesce(f.relname, ''), k.n, a.attname, coalesce(b.attname, ''), "
            "n.contype = 'f' and (n.confdeltype not in ('a', 'r') or n.confupdtype not in ('a', 'r')), "
            "n.condeferrable and n.confdeltype <> 'r' and n.confupdtype <> 'r' "
            "from pg_constraint n join pg_class t on t.oid = n.conrelid left join pg_class f on f.oid = n.confrelid "
            "cross join lateral unnest(n.conkey) with ordinality as k(attnum, n) "
            "join pg_attribute a on a.attrelid = n.conrelid and a.attnum = k.attnum "
            "left join pg_attribute b on b.attrelid = n.confrelid and b.attnum = n.confkey[k.n] "
            "where t.relnamespace = (select oid from pg_namespace where nspname = :schema) and n.contype in ('p', 'f') order by 1, 2, k.n",
            1, 9)
        .text(0, schema)
        .each([&](Query &row) {
            ExistingTable &table = tables[row.take_text(0)];
            if (row.take_text(2) == "p") {
                table.primary_key.push_back(row.take_text(5));
                return;
            }
            if (row.take_integer(4) == 1) {
                table.references.push_back({row.take_text(1), row.take_text(3), {}, {}, row.take_boolean(7), row.take_boolean(8)});
            }
            table.references.back().columns.push_back(row.take_text(5));
            table.references.back().target_columns.push_back(row.take_text(6));
        });
}

} // namespace

std::optional<std::size_t> ExistingColumn::longest() const {
    constexpr int kHeader = 4; // atttypmod counts one
    return type == "character varying" && modifier >= kHeader ? std::optional(static_cast<std::size_t>(modifier - kHeader)) : std::nullopt;
}

const ExistingColumn *ExistingTable::column(const std::string &name) const {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const ExistingColumn &column) { return column.name == name; });
    return found == columns.end() ? nullptr : &*found;
}

std::map<std::string, ExistingTable> read_existing(Connection &connection, const Place &place) {
    return connection.guard([&] {
        Tables tables;
        read_columns(connection, place.schema, tables);
        read_indexes(connection, place.schema, tables);
        read_constraints(connection, place.schema, tables);
        return tables;
    });
}

} // namespace weir::store::postgresql
