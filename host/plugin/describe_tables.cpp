// SPDX-License-Identifier: Apache-2.0
#include "plugin/descriptor_reader.hpp"
#include "store/schema.hpp"

namespace weir::plugin {

namespace {

constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxLiteralBytes = 64u << 10;
constexpr std::uint32_t kMaxTables = 256;
constexpr std::uint32_t kMaxColumns = 64;
constexpr std::uint32_t kMaxIndexes = 64;

std::vector<std::uint32_t> copy_columns(const std::uint32_t *columns, std::uint32_t count, const std::string &where) {
    std::vector<std::uint32_t> out;
    for_each_element(columns, count, sizeof(std::uint32_t), kMaxColumns, where,
                     [&](std::uint32_t column, const std::string &) { out.push_back(column); });
    return out;
}

void check_columns(const std::vector<std::uint32_t> &columns, std::size_t column_count, const std::string &where) {
    for (const std::uint32_t column : columns) {
        if (column >= column_count) {
            throw DescriptorFault{where + " names column " + std::to_string(column) + "; the table has " + std::to_string(column_count)};
        }
    }
}

store::Column copy_column(const weir_column_v1 &from, const std::string &where) {
    store::Column column;
    column.name = copy_text(from.name, where + "/name", kMaxNameBytes);
    const std::string named = where + " (" + column.name + ")";
    if (from.type < WEIR_TYPE_TEXT || from.type > WEIR_TYPE_BYTES) {
        throw DescriptorFault{named + " has the unknown type " + std::to_string(from.type)};
    }
    column.type = static_cast<store::Type>(from.type);
    if ((from.flags & ~WEIR_COLUMN_NULLABLE) != 0) {
        throw DescriptorFault{named + " has unknown flags " + std::to_string(from.flags)};
    }
    column.nullable = (from.flags & WEIR_COLUMN_NULLABLE) != 0;
    column.precision = from.precision;
    column.scale = from.scale;
    if (column.type == store::Type::decimal && (column.precision < 1 || column.precision > 18 || column.scale > column.precision)) {
        throw DescriptorFault{named + " is a decimal of precision " + std::to_string(column.precision) + " and scale " +
                              std::to_string(column.scale) + "; the precision must be 1 to 18 and the scale at most the precision"};
    }
    switch (from.default_kind) {
    case WEIR_DEFAULT_NONE:
        column.default_kind = store::Default::none;
        break;
    case WEIR_DEFAULT_NOW:
        column.default_kind = store::Default::now;
        break;
    case WEIR_DEFAULT_NEW_ID:
        column.default_kind = store::Default::new_id;
        break;
    case WEIR_DEFAULT_LITERAL: {
        column.default_kind = store::Default::literal;
        const std::string text = copy_text(from.default_text, named + "/default_text", kMaxLiteralBytes);
        if (const auto wrong = store::parse_literal(column, text, column.default_value)) {
            throw DescriptorFault{named + " has a default that does not fit: " + *wrong};
        }
        break;
    }
    default:
        throw DescriptorFault{named + " has the unknown default_kind " + std::to_string(from.default_kind)};
    }
    return column;
}

store::Table copy_table(const weir_table_v1 &from, const std::string &where, std::uint32_t table_count) {
    store::Table table;
    table.name = copy_text(from.name, where + "/name", kMaxNameBytes);
    const std::string named = where + " (" + table.name + ")";
    for_each_element(from.columns, from.column_count, from.column_stride, kMaxColumns, named + "/columns",
                     [&](const weir_column_v1 &column, const std::string &at) { table.columns.push_back(copy_column(column, at)); });
    table.primary_key = copy_columns(from.primary_key, from.primary_key_count, named + "/primary_key");
    check_columns(table.primary_key, table.columns.size(), named + "/primary_key");
    for_each_element(from.indexes, from.index_count, from.index_stride, kMaxIndexes, named + "/indexes",
                     [&](const weir_index_v1 &index, const std::string &at) {
                         store::Index copy;
                         copy.name = copy_text(index.name, at + "/name", kMaxNameBytes);
                         copy.columns = copy_columns(index.columns, index.column_count, at + "/columns");
                         check_columns(copy.columns, table.columns.size(), at);
                         copy.unique = (index.flags & WEIR_INDEX_UNIQUE) != 0;
                         table.indexes.push_back(std::move(copy));
                     });
    for_each_element(from.references, from.reference_count, from.reference_stride, kMaxIndexes, named + "/references",
                     [&](const weir_reference_v1 &reference, const std::string &at) {
                         store::Reference copy;
                         copy.columns = copy_columns(reference.columns, reference.column_count, at + "/columns");
                         check_columns(copy.columns, table.columns.size(), at);
                         copy.target_table = reference.target_table;
                         if (copy.target_table >= table_count) {
                             throw DescriptorFault{at + " names table " + std::to_string(copy.target_table) + "; the plugin has " +
                                                   std::to_string(table_count)};
                         }
                         copy.target_columns = copy_columns(reference.target_columns, reference.column_count, at + "/target_columns");
                         table.references.push_back(std::move(copy));
                     });
    return table;
}

} // namespace

void describe_tables(const weir_plugin_descriptor_v1 &descriptor, store::Schema &out) {
    for_each_element(descriptor.tables, descriptor.table_count, descriptor.table_stride, kMaxTables, "tables",
                     [&](const weir_table_v1 &table, const std::string &where) {
                         out.tables.push_back(copy_table(table, where, descriptor.table_count));
                     });
    for (const store::Table &table : out.tables) {
        for (const store::Reference &reference : table.references) {
            check_columns(reference.target_columns, out.tables[reference.target_table].columns.size(),
                          "table " + table.name + ": a reference's target");
        }
    }
    if (has_counters(descriptor)) {
        for_each_element(descriptor.counters, descriptor.counter_count, descriptor.counter_stride, kMaxTables, "counters",
                         [&](const weir_counter_v1 &from, const std::string &where) {
                             store::Counter counter;
                             counter.name = copy_text(from.name, where + "/name", kMaxNameBytes);
                             counter.table = from.table;
                             counter.count_column = from.count_column;
                             if (from.time_column != WEIR_NO_COLUMN) {
                                 counter.time_column = from.time_column;
                             }
                             out.counters.push_back(std::move(counter));
                         });
    }
    if (const auto wrong = store::check_schema(out)) {
        throw DescriptorFault{*wrong};
    }
}

} // namespace weir::plugin
