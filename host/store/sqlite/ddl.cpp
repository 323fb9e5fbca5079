// SPDX-License-Identifier: Apache-2.0
#include "ddl.hpp"

#include "connection.hpp"

#include <algorithm>
#include <cstdio>

namespace weir::store::sqlite {

namespace {

const char *storage_class(const Column &column) {
    switch (storage_of(column.type)) {
    case Storage::integer:
        return "INTEGER";
    case Storage::real:
        return "REAL";
    case Storage::bytes:
        return "BLOB";
    case Storage::text:
    case Storage::time:
        break;
    }
    return "TEXT";
}

std::string literal(const Column &column, const Value &value) {
    if (const auto *integer = std::get_if<std::int64_t>(&value)) {
        if (column.type == Type::timestamp) {
            return "'" + event::format_time(*integer) + "'";
        }
        return "(" + std::to_string(*integer) + ")";
    }
    if (const auto *real = std::get_if<double>(&value)) {
        char text[40];
        std::snprintf(text, sizeof text, "(%.17e)", *real); // an exponent keeps it a REAL where it is a whole number
        return text;
    }
    const auto *text = std::get_if<std::string>(&value);
    if (!text) {
        return "null";
    }
    std::string out;
    if (column.type == Type::bytes) {
        out = "x'";
        for (const char c : *text) {
            char digits[3];
            std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
            out += digits;
        }
        return out + "'";
    }
    out = "'";
    for (const char c : *text) {
        out += c;
        if (c == '\'') {
            out += c;
        }
    }
    return out + "'";
}

std::string check_of(const Column &column) {
    if (column.type == Type::boolean) {
        return " CHECK (" + quote_name(column.name) + " IN (0, 1))";
    }
    if (column.type == Type::decimal) {
        const std::string nines(column.precision, '9');
        return " CHECK (" + quote_name(column.name) + " BETWEEN -" + nines + " AND " + nines + ")";
    }
    return "";
}

std::string column_sql(const Column &column) {
    std::string sql = quote_name(column.name) + " " + storage_class(column);
    if (column.type == Type::citext) {
        sql += " COLLATE NOCASE";
    }
    if (!column.nullable) {
        sql += " NOT NULL";
    }
    if (column.default_kind == Default::literal) {
        sql += " DEFAULT " + literal(column, column.default_value);
    }
    return sql + check_of(column);
}

std::string names(const Table &table, const std::vector<std::uint32_t> &columns) {
    std::string out;
    for (const std::uint32_t column : columns) {
        out += (out.empty() ? "" : ", ") + quote_name(table.columns[column].name);
    }
    return out;
}

} // namespace

std::string declared_type(const Column &column) {
    std::string type(type_name(column.type));
    if (column.type == Type::decimal) {
        type += "(" + std::to_string(column.precision) + "," + std::to_string(column.scale) + ")";
    }
    return type;
}

std::string create_table_sql(const std::string &schema, const TableForm &form, const std::vector<Table> &all) {
    const Table &table = form.table;
    std::string sql = "CREATE TABLE " + quote_name(schema) + "." + quote_name(table.name) + " (";
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        sql += (i ? ", " : "") + column_sql(table.columns[i]);
        if (form.numbered && table.primary_key.front() == i) {
            sql += " PRIMARY KEY AUTOINCREMENT";
        }
    }
    if (!form.numbered) {
        sql += ", PRIMARY KEY (" + names(table, table.primary_key) + ")";
    }
    for (const Reference &reference : table.references) {
        const Table &target = all[reference.target_table];
        sql += ", FOREIGN KEY (" + names(table, reference.columns) + ") REFERENCES " + quote_name(target.name) + " (" +
               names(target, reference.target_columns) + ")";
    }
    return sql + form.checks + ") STRICT" + (form.without_rowid ? ", WITHOUT ROWID" : "");
}

std::string add_column_sql(const std::string &schema, const Table &table, const Column &column, event::Micros now) {
    Column added = column;
    if (column.default_kind == Default::now && !column.nullable) {
        added.default_kind = Default::literal;
        added.default_value = now;
    }
    return "ALTER TABLE " + quote_name(schema) + "." + quote_name(table.name) + " ADD COLUMN " + column_sql(added);
}

std::vector<std::uint32_t> index_columns(const Table &table, const Index &index) {
    std::vector<std::uint32_t> columns = index.columns;
    if (!index.unique) {
        for (const std::uint32_t key : table.primary_key) {
            if (std::find(columns.begin(), columns.end(), key) == columns.end()) {
                columns.push_back(key);
            }
        }
    }
    return columns;
}

std::string create_index_sql(const std::string &schema, const Table &table, const Index &index) {
    return std::string("CREATE ") + (index.unique ? "UNIQUE " : "") + "INDEX " + quote_name(schema) + "." + quote_name(index.name) +
           " ON " + quote_name(table.name) + " (" + names(table, index_columns(table, index)) + ")";
}

} // namespace weir::store::sqlite
