// SPDX-License-Identifier: Apache-2.0
#include "fitting.hpp"

#include "connection.hpp"
#include "ddl.hpp"

#include <algorithm>

namespace weir::store::postgresql {

namespace {

constexpr int kHeader = 4; // atttypmod of varchar and numeric counts a header

std::string shown(const ExistingColumn &existing) {
    if (existing.type == "numeric" && existing.modifier >= kHeader) {
        const int packed = existing.modifier - kHeader;
        return "numeric(" + std::to_string(packed >> 16) + "," + std::to_string(packed & 0x7ff) + ")";
    }
    if (const auto longest = existing.longest()) {
        return "varchar(" + std::to_string(*longest) + ")";
    }
    return existing.type;
}

bool is_citext(const std::string &type) { return type == "citext" || type.ends_with(".citext"); }

bool is_in_order(const TableForm &form, const Column &column) {
    const Table &table = form.table;
    const auto is_it = [&](std::uint32_t number) { return table.columns[number].name == column.name; };
    return std::any_of(table.primary_key.begin(), table.primary_key.end(), is_it) ||
           (form.checks.empty() && std::any_of(table.indexes.begin(), table.indexes.end(), [&](const Index &index) {
                return std::any_of(index.columns.begin(), index.columns.end(), is_it);
            }));
}

bool decimal_fits(const Column &column, const ExistingColumn &existing) {
    if (existing.type != "numeric" || existing.modifier < kHeader) {
        return false;
    }
    const int packed = existing.modifier - kHeader;
    return (packed & 0x7ff) == static_cast<int>(column.scale) && (packed >> 16) <= 18;
}

bool type_fits(const TableForm &form, const Column &column, const ExistingColumn &existing) {
    const std::string &type = existing.type;
    switch (column.type) {
    case Type::text:
        return type == "text" || type == "character varying" || (existing.is_enumeration && !is_in_order(form, column));
    case Type::citext:
        return type == "text" || type == "character varying" || is_citext(type);
    case Type::int64:
        return type == "bigint" || type == "integer" || type == "smallint";
    case Type::float64:
        return type == "double precision";
    case Type::decimal:
        return decimal_fits(column, existing);
    case Type::boolean:
        return type == "boolean";
    case Type::uuid:
        return type == "uuid";
    case Type::timestamp:
        return (type == "timestamp with time zone" || type == "timestamp without time zone") &&
               (existing.modifier < 0 || existing.modifier == 6);
    case Type::json:
        return type == "jsonb" || type == "json";
    case Type::bytes:
        return type == "bytea";
    }
    return false;
}

std::string as_text(const TableForm &form, const Column &column) {
    return "ALTER TABLE " + form.table.name + " ALTER COLUMN " + column.name + " TYPE text USING " + column.name + "::text";
}

} // namespace

std::optional<std::string> refused_text(const TableForm &form, const Column &column, const ExistingColumn &existing) {
    if (column.type != Type::text) {
        return std::nullopt;
    }
    const auto found = form.texts.find(column.name);
    const StandardText text = found == form.texts.end() ? StandardText{} : found->second;
    if (existing.is_enumeration) {
        for (const std::string &value : text.values) {
            if (existing.labels.find(quote_text(value)) == std::string::npos) {
                return "takes no " + quote_text(value) + ": ALTER TYPE " + existing.type + " ADD VALUE " + quote_text(value) + ", or " +
                       as_text(form, column);
            }
        }
        return text.values.empty() ? std::optional("has to take any text, but is " + existing.type + ": " + as_text(form, column))
                                   : std::nullopt;
    }
    const auto longest = existing.longest();
    if (!longest || (text.length > 0 && *longest >= text.length)) {
        return std::nullopt;
    }
    return "has to take " + (text.length > 0 ? std::to_string(text.length) + " characters" : std::string("texts of any length")) +
           ", but is " + shown(existing) + ": " + as_text(form, column);
}

std::optional<std::string> misfit(const TableForm &form, const Column &column, const ExistingColumn &existing) {
    if (existing.generated) {
        return "is a generated column";
    }
    if (type_fits(form, column, existing)) {
        return std::nullopt;
    }
    const std::string wanted = sql_type(form, column);
    const std::string plain = wanted.substr(0, wanted.find(' ', column.type == Type::float64 ? 7 : 0));
    return "is declared as " + declared_type(column) + ", but is " + shown(existing) + ": ALTER TABLE " + form.table.name +
           " ALTER COLUMN " + column.name + " TYPE " + plain + " USING " + column.name + "::" + plain;
}

} // namespace weir::store::postgresql
