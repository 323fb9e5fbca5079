// SPDX-License-Identifier: Apache-2.0
// What a declared schema must be to be created on either store.
#include "store/schema.hpp"

#include "decimal.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <span>

namespace weir::store {

namespace {

using Refused = std::optional<std::string>;

constexpr std::size_t kColumnsMax = 64;
constexpr std::size_t kIndexColumnsMax = 32; // what a PostgreSQL index takes
constexpr std::size_t kNameMax = 63;

/// The host's own tables in a domain's schema.
constexpr std::array<std::string_view, 7> kReservedTables = {"dead_letter_queue", "event_attempts",   "event_ledger", "lease", "outbox",
                                                             "positions",         "schema_migrations"};
/// PostgreSQL has these in every table already.
constexpr std::array<std::string_view, 6> kReservedColumns = {"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"};
/// Prefixes that the stores or the host keep for themselves.
constexpr std::array<std::string_view, 7> kReservedPrefixes = {
    "sqlite_", "pg_", "weir_", "dead_letter_queue_", "event_attempts_", "event_ledger_", "schema_migrations_"};

bool is_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > kNameMax || (name[0] >= '0' && name[0] <= '9')) {
        return false;
    }
    return std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

Refused check_relation_name(const std::string &name) {
    if (!is_name(name)) {
        return "its name \"" + name + "\" is not [a-z_][a-z0-9_]{0,62}";
    }
    for (const std::string_view prefix : kReservedPrefixes) {
        if (name.starts_with(prefix)) {
            return "names that begin with " + std::string(prefix) + " are reserved";
        }
    }
    if (std::find(kReservedTables.begin(), kReservedTables.end(), name) != kReservedTables.end()) {
        return "the name is that of one of the host's own tables";
    }
    return std::nullopt;
}

Refused check_default(const Column &column) {
    switch (column.default_kind) {
    case Default::none:
        return std::nullopt;
    case Default::now:
        return column.type == Type::timestamp ? std::nullopt : Refused("only timestamp columns can have the default now");
    case Default::new_id:
        return column.type == Type::uuid ? std::nullopt : Refused("only uuid columns can have the default new_id");
    case Default::literal: {
        if (std::holds_alternative<std::monostate>(column.default_value)) {
            return "its default is a literal without a value";
        }
        Value value = column.default_value;
        if (canonicalise(column, value)) {
            return "its default is no value of type " + std::string(type_name(column.type));
        }
        return value == column.default_value ? std::nullopt : Refused("its default is not in canonical form");
    }
    }
    return "its default is of an unknown kind";
}

Refused check_column(const Column &column) {
    if (!is_name(column.name)) {
        return "its name is not [a-z_][a-z0-9_]{0,62}";
    }
    if (std::find(kReservedColumns.begin(), kReservedColumns.end(), column.name) != kReservedColumns.end()) {
        return "the name is reserved by PostgreSQL";
    }
    if (column.type < Type::text || column.type > Type::bytes) {
        return "its type " + std::to_string(static_cast<unsigned>(column.type)) + " is unknown";
    }
    if (column.type == Type::decimal) {
        if (column.precision < 1 || column.precision > kDecimalPrecisionMax || column.scale > column.precision) {
            return "decimal needs a precision of 1 to 18 and a scale of 0 to the precision";
        }
    } else if (column.precision != 0 || column.scale != 0) {
        return "precision and scale are for decimal columns only";
    }
    return check_default(column);
}

/// Column indexes that exist, none of them twice, at least one.
Refused check_columns(const Table &table, std::span<const std::uint32_t> columns) {
    if (columns.empty()) {
        return "it names no column";
    }
    if (columns.size() > kIndexColumnsMax) {
        return "it has more than " + std::to_string(kIndexColumnsMax) + " columns";
    }
    std::set<std::uint32_t> seen;
    for (const std::uint32_t column : columns) {
        if (column >= table.columns.size()) {
            return "column " + std::to_string(column) + " does not exist";
        }
        if (!seen.insert(column).second) {
            return "column " + table.columns[column].name + " is named twice";
        }
    }
    return std::nullopt;
}

Refused check_primary_key(const Table &table) {
    if (Refused reason = check_columns(table, table.primary_key)) {
        return reason;
    }
    for (const std::uint32_t index : table.primary_key) {
        const Column &column = table.columns[index];
        if (column.nullable) {
            return "column " + column.name + " is nullable";
        }
        if (column.type == Type::float64 || column.type == Type::json) {
            return "column " + column.name + " is of type " + std::string(type_name(column.type)) + ", which can't be a key";
        }
    }
    return std::nullopt;
}

Refused check_index(const Table &table, const Index &index) {
    if (Refused reason = check_columns(table, index.columns)) {
        return reason;
    }
    for (const std::uint32_t column : index.columns) {
        if (table.columns[column].type == Type::json) {
            return "column " + table.columns[column].name + " is of type json, which has no order";
        }
    }
    return std::nullopt;
}

Refused check_reference(const Schema &schema, const Table &table, const Reference &reference) {
    if (Refused reason = check_columns(table, reference.columns)) {
        return reason;
    }
    if (reference.target_table >= schema.tables.size()) {
        return "its target table " + std::to_string(reference.target_table) + " does not exist";
    }
    const Table &target = schema.tables[reference.target_table];
    const bool is_unique = reference.target_columns == target.primary_key ||
                           std::any_of(target.indexes.begin(), target.indexes.end(),
                                       [&](const Index &index) { return index.unique && index.columns == reference.target_columns; });
    if (!is_unique) {
        return "its target columns are neither the primary key nor a unique index of table " + target.name + ", in that order";
    }
    if (reference.columns.size() != reference.target_columns.size()) {
        return "it has another number of columns than its target";
    }
    for (std::size_t i = 0; i < reference.columns.size(); ++i) {
        const Column &from = table.columns[reference.columns[i]];
        if (reference.target_columns[i] >= target.columns.size()) {
            return "target column " + std::to_string(reference.target_columns[i]) + " does not exist";
        }
        const Column &to = target.columns[reference.target_columns[i]];
        if (from.type != to.type || from.precision != to.precision || from.scale != to.scale) {
            return "column " + from.name + " is not of the type of " + target.name + "." + to.name;
        }
    }
    return std::nullopt;
}

Refused check_table(const Schema &schema, const Table &table, std::set<std::string> &relations) {
    if (table.columns.empty() || table.columns.size() > kColumnsMax) {
        return "it has " + std::to_string(table.columns.size()) + " columns; 1 to 64 are possible";
    }
    std::set<std::string> names;
    for (const Column &column : table.columns) {
        if (Refused reason = check_column(column)) {
            return "column " + column.name + ": " + *reason;
        }
        if (!names.insert(column.name).second) {
            return "column " + column.name + ": there are two of this name";
        }
    }
    if (Refused reason = check_primary_key(table)) {
        return "primary key: " + *reason;
    }
    for (const Index &index : table.indexes) {
        Refused reason = check_relation_name(index.name);
        if (!reason) {
            reason = check_index(table, index);
        }
        if (!reason && !relations.insert(index.name).second) {
            reason = "there are two tables or indexes of this name";
        }
        if (reason) {
            return "index " + index.name + ": " + *reason;
        }
    }
    for (std::size_t i = 0; i < table.references.size(); ++i) {
        if (Refused reason = check_reference(schema, table, table.references[i])) {
            return "reference " + std::to_string(i) + ": " + *reason;
        }
    }
    return std::nullopt;
}

Refused check_counter(const Schema &schema, const Counter &counter) {
    if (counter.table >= schema.tables.size()) {
        return "its table " + std::to_string(counter.table) + " does not exist";
    }
    const Table &table = schema.tables[counter.table];
    const auto is_key = [&](std::uint32_t column) {
        return std::find(table.primary_key.begin(), table.primary_key.end(), column) != table.primary_key.end();
    };
    const auto is_of = [&](std::uint32_t column, Type type) {
        return column < table.columns.size() && !is_key(column) && table.columns[column].type == type;
    };
    if (!is_of(counter.count_column, Type::int64)) {
        return "what it counts in is no int64 column outside of the key of table " + table.name;
    }
    if (counter.time_column && !is_of(*counter.time_column, Type::timestamp)) {
        return "its time column is no timestamp column outside of the key of table " + table.name;
    }
    for (std::uint32_t number = 0; number < table.columns.size(); ++number) {
        const Column &column = table.columns[number];
        if (is_key(number) && column.type == Type::citext) {
            return "the key column " + column.name + " is case-insensitive";
        }
        if (!is_key(number) && number != counter.count_column && number != counter.time_column && !column.nullable &&
            column.default_kind != Default::literal) {
            return "column " + column.name + " of table " + table.name + " is neither nullable nor has it a literal default";
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<std::string> check_schema(const Schema &schema) {
    // Tables and indexes, the one behind a primary key among them, share their names.
    std::set<std::string> relations;
    for (const std::string_view reserved : kReservedTables) {
        relations.insert(std::string(reserved) + "_pkey");
    }
    for (const Table &table : schema.tables) {
        if (Refused reason = check_relation_name(table.name)) {
            return "table " + table.name + ": " + *reason;
        }
        if (!relations.insert(table.name).second || !relations.insert(table.name + "_pkey").second) {
            return "table " + table.name + ": there are two of this name";
        }
    }
    for (const Table &table : schema.tables) {
        if (Refused reason = check_table(schema, table, relations)) {
            return "table " + table.name + ": " + *reason;
        }
    }
    std::set<std::string> functions;
    for (const Counter &counter : schema.counters) {
        Refused reason = is_name(counter.name) ? std::nullopt : Refused("its name is not [a-z_][a-z0-9_]{0,62}");
        if (!reason) {
            reason = functions.insert(counter.name).second ? check_counter(schema, counter) : Refused("there are two of this name");
        }
        if (reason) {
            return "counter " + counter.name + ": " + *reason;
        }
    }
    return std::nullopt;
}

} // namespace weir::store
