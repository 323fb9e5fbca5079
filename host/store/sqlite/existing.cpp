// SPDX-License-Identifier: Apache-2.0
#include "existing.hpp"

#include <algorithm>

namespace weir::store::sqlite {

namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text;
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return text;
}

constexpr auto kText = Storage::text;
constexpr auto kInteger = Storage::integer;

void read_columns(Connection &connection, const std::string &name, ExistingTable &table) {
    Query &query = connection.query("select name, type, \"notnull\", dflt_value, pk, hidden from pragma_table_xinfo(?, ?) order by cid",
                                    {kText, kText}, {kText, kText, kInteger, kText, kInteger, kInteger});
    query.text(0, name).text(1, connection.place().schema);
    query.each([&](Query &row) {
        ExistingColumn column;
        column.has_default = !row.is_null(3);
        column.name = lower(row.take_text(0));
        column.declared_type = upper(row.take_text(1));
        column.not_null = row.take_integer(2) != 0;
        column.key_position = static_cast<int>(row.take_integer(4));
        column.generated = row.take_integer(5) != 0;
        table.columns.push_back(std::move(column));
    });
    for (ExistingColumn &column : table.columns) { // no pragma tells a column's collation
        const char *collation = nullptr;
        if (sqlite_api::sqlite3_table_column_metadata(connection.handle(), connection.place().schema.c_str(), name.c_str(),
                                                      column.name.c_str(), nullptr, &collation, nullptr, nullptr, nullptr) == SQLITE_OK &&
            collation) {
            column.collation = upper(collation);
        }
    }
}

void read_indexes(Connection &connection, const std::string &name, ExistingTable &table) {
    Query &list =
        connection.query("select name, \"unique\", partial from pragma_index_list(?, ?)", {kText, kText}, {kText, kInteger, kInteger});
    list.text(0, name).text(1, connection.place().schema);
    list.each([&](Query &row) {
        table.indexes.push_back({lower(row.take_text(0)), row.take_integer(1) != 0, row.take_integer(2) != 0, {}});
    });
    Query &info = connection.query("select name from pragma_index_info(?, ?) order by seqno", {kText, kText}, {kText});
    for (ExistingIndex &index : table.indexes) {
        info.text(0, index.name).text(1, connection.place().schema);
        info.each([&](Query &row) { index.columns.push_back(row.is_null(0) ? std::string() : lower(row.take_text(0))); });
    }
}

void read_references(Connection &connection, const std::string &name, ExistingTable &table) {
    Query &query =
        connection.query("select id, \"table\", \"from\", \"to\", on_update, on_delete from pragma_foreign_key_list(?, ?) order by id, seq",
                         {kText, kText}, {kInteger, kText, kText, kText, kText, kText});
    query.text(0, name).text(1, connection.place().schema);
    std::int64_t current = -1;
    query.each([&](Query &row) {
        if (row.take_integer(0) != current) {
            current = row.take_integer(0);
            table.references.push_back(
                {lower(row.take_text(1)), {}, {}, row.take_text(4) != "NO ACTION" || row.take_text(5) != "NO ACTION"});
        }
        table.references.back().columns.push_back(lower(row.take_text(2)));
        if (!row.is_null(3)) {
            table.references.back().target_columns.push_back(lower(row.take_text(3)));
        }
    });
}

} // namespace

const ExistingColumn *ExistingTable::column(const std::string &name) const {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const ExistingColumn &column) { return column.name == name; });
    return found == columns.end() ? nullptr : &*found;
}

std::map<std::string, ExistingTable> read_existing(Connection &connection) {
    return connection.guard([&] {
        std::map<std::string, ExistingTable> tables;
        Query &list = connection.query("select name, type from pragma_table_list where schema = ? and type in ('table', 'view', 'virtual')",
                                       {kText}, {kText, kText});
        list.text(0, connection.place().schema);
        std::vector<std::pair<std::string, std::string>> names;
        list.each([&](Query &row) { names.emplace_back(row.take_text(0), row.take_text(1)); });
        for (const auto &[name, type] : names) {
            if (name.starts_with("sqlite_")) {
                continue;
            }
            ExistingTable &table = tables[lower(name)];
            table.type = type;
            read_columns(connection, name, table);
            read_indexes(connection, name, table);
            read_references(connection, name, table);
        }
        return tables;
    });
}

} // namespace weir::store::sqlite
