// SPDX-License-Identifier: Apache-2.0
/// @file
/// A plugin's file, loaded and checked as the host checks it.
#pragma once

#include "schema.hpp"

#include <dlfcn.h>

namespace weir::testkit {

/// Something that the plugin, or its test, does against the contract; what() says what.
class Misuse : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// Whether `text` is `[a-z0-9_]+(\.[a-z0-9_]+)*\.v[0-9]+`.
inline bool is_event_type(std::string_view text) noexcept {
    const std::size_t dot = text.rfind(".v");
    if (dot == std::string_view::npos || dot == 0 || dot + 2 == text.size()) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool digit = c >= '0' && c <= '9';
        const bool joint = c == '.' && i > 0 && text[i - 1] != '.';
        if (i >= dot + 2 ? !digit : !(digit || (c >= 'a' && c <= 'z') || c == '_' || joint)) {
            return false;
        }
    }
    return text[dot - 1] != '.';
}

/// `handle_linting_user_created` for "linting" and "user.created.v1"; `.v2` and later keep `_v2`.
inline std::string handler_symbol(std::string_view plugin_name, std::string_view event_type) {
    const std::size_t dot = event_type.rfind(".v");
    const auto event = event_type.substr(dot) == ".v1" ? event_type.substr(0, dot) : event_type;
    std::string symbol = "handle_" + std::string(plugin_name) + "_" + std::string(event);
    for (char &c : symbol) {
        c = c == '-' || c == '.' ? '_' : c;
    }
    return symbol;
}

/// @cond internal
namespace detail {

template <class T> const T &element(const T *array, std::uint32_t stride, std::uint32_t index) {
    return *reinterpret_cast<const T *>(reinterpret_cast<const char *>(array) + std::size_t{index} * stride);
}

inline std::string string(weir_view view) { return std::string(weir::detail::text(view)); }

[[noreturn]] inline void wrong_descriptor(const std::string &what) { throw Misuse("the descriptor: " + what); }

inline ColumnInfo read_column(const std::string &table, const weir_column_v1 &raw) {
    ColumnInfo column{string(raw.name), raw.type, (raw.flags & WEIR_COLUMN_NULLABLE) != 0, raw.precision, raw.scale, raw.default_kind, {}};
    const auto wrong = [&](const char *what) { wrong_descriptor("column " + table + "." + column.name + ": " + what); };
    if (!weir::testkit::is_utf8(column.name) || column.name.empty()) {
        wrong("has no name");
    }
    if (column.type < WEIR_TYPE_TEXT || column.type > WEIR_TYPE_BYTES) {
        wrong("its type is none of WEIR_TYPE_*");
    }
    const bool decimal = column.type == WEIR_TYPE_DECIMAL;
    if (decimal ? (column.precision < 1 || column.precision > 18 || column.scale > column.precision) : (column.precision || column.scale)) {
        wrong("its precision or scale does not fit its type");
    }
    switch (column.default_kind) {
    case WEIR_DEFAULT_NONE:
        break;
    case WEIR_DEFAULT_LITERAL: {
        auto value = parse_literal(column, weir::detail::text(raw.default_text));
        if (!value) {
            wrong("its default is no literal of its type");
        }
        column.default_value = *value;
        break;
    }
    case WEIR_DEFAULT_NOW:
    case WEIR_DEFAULT_NEW_ID:
        if (column.type != (column.default_kind == WEIR_DEFAULT_NOW ? WEIR_TYPE_TIMESTAMP : WEIR_TYPE_UUID)) {
            wrong("its default does not fit its type");
        }
        break;
    default:
        wrong("its default is none of WEIR_DEFAULT_*");
    }
    return column;
}

inline std::vector<std::uint32_t> read_places(const std::string &where, const std::uint32_t *places, std::uint32_t count,
                                              std::size_t columns) {
    std::vector<std::uint32_t> out(places, places + count);
    const std::set<std::uint32_t> different(out.begin(), out.end());
    if (out.empty() || different.size() != out.size() || *different.rbegin() >= columns) {
        wrong_descriptor(where + " names no columns, one twice, or one that is not there");
    }
    return out;
}

inline TableInfo read_table(const weir_table_v1 &raw) {
    TableInfo table;
    table.name = string(raw.name);
    for (std::uint32_t i = 0; i < raw.column_count; ++i) {
        table.columns.push_back(read_column(table.name, element(raw.columns, raw.column_stride, i)));
    }
    table.primary_key = read_places("the primary key of " + table.name, raw.primary_key, raw.primary_key_count, table.columns.size());
    for (const std::uint32_t column : table.primary_key) {
        const ColumnInfo &info = table.columns[column];
        if (info.nullable || info.type == WEIR_TYPE_FLOAT64 || info.type == WEIR_TYPE_JSON) {
            wrong_descriptor("the key column " + table.name + "." + info.name + " is nullable, float64 or json");
        }
    }
    for (std::uint32_t i = 0; i < raw.index_count; ++i) {
        const auto &index = element(raw.indexes, raw.index_stride, i);
        table.indexes.push_back({string(index.name),
                                 read_places("index " + string(index.name), index.columns, index.column_count, table.columns.size()),
                                 (index.flags & WEIR_INDEX_UNIQUE) != 0});
    }
    for (std::uint32_t i = 0; i < raw.reference_count; ++i) {
        const auto &reference = element(raw.references, raw.reference_stride, i);
        table.references.push_back(
            {read_places("a reference of " + table.name, reference.columns, reference.column_count, table.columns.size()),
             reference.target_table,
             std::vector<std::uint32_t>(reference.target_columns, reference.target_columns + reference.column_count)});
    }
    return table;
}

inline std::vector<TableInfo> read_tables(const weir_plugin_descriptor_v1 &raw) {
    std::vector<TableInfo> tables;
    std::set<std::string> names;
    for (std::uint32_t i = 0; i < raw.table_count; ++i) {
        tables.push_back(read_table(element(raw.tables, raw.table_stride, i)));
        if (!names.insert(tables.back().name).second) {
            wrong_descriptor("two tables are called " + tables.back().name);
        }
    }
    for (const TableInfo &table : tables) {
        for (const ReferenceInfo &reference : table.references) {
            if (reference.target >= tables.size()) {
                wrong_descriptor("a reference of " + table.name + " leads to a table that is not declared");
            }
            read_places("a reference of " + table.name, reference.target_columns.data(),
                        static_cast<std::uint32_t>(reference.target_columns.size()), tables[reference.target].columns.size());
        }
    }
    return tables;
}

} // namespace detail
/// @endcond

/// A loaded plugin. It stays mapped until the process ends, as in the host.
class Module {
public:
    /// Loads a file and checks its descriptor. Throws Misuse, which says what is wrong.
    explicit Module(const std::string &file) : file_(file), library_(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (!library_) {
            const char *why = dlerror();
            throw Misuse("the plugin " + file + " can't be loaded: " + (why ? why : "no reason given"));
        }
        const auto entry = reinterpret_cast<weir_plugin_entry_v1>(dlsym(library_, WEIR_PLUGIN_ENTRY_SYMBOL));
        if (!entry) {
            throw Misuse("the plugin " + file + " does not export " WEIR_PLUGIN_ENTRY_SYMBOL);
        }
        descriptor_ = entry();
        check(entry());
        tables_ = detail::read_tables(*descriptor_);
        for (std::uint32_t i = 0; i < descriptor_->read_count; ++i) {
            check_read(detail::element(descriptor_->reads, descriptor_->read_stride, i));
        }
    }

    /// What the plugin says of itself.
    const weir_plugin_descriptor_v1 &descriptor() const noexcept { return *descriptor_; }
    /// Its tables, checked.
    const std::vector<TableInfo> &tables() const noexcept { return tables_; }
    /// The handler of an event type; null where it has none.
    weir_handler_v1 handler(std::string_view event_type) const {
        return reinterpret_cast<weir_handler_v1>(
            dlsym(library_, handler_symbol(weir::detail::text(descriptor_->name), event_type).c_str()));
    }

private:
    void check(const weir_plugin_descriptor_v1 *again) const {
        if (!descriptor_) {
            throw Misuse("the plugin " + file_ + " could not make its descriptor: see the body of WEIR_PLUGIN");
        }
        if (again != descriptor_) {
            throw Misuse("the plugin " + file_ + " returns another descriptor in each call");
        }
        if (descriptor_->size < offsetof(weir_plugin_descriptor_v1, extension)) {
            throw Misuse("the descriptor's size is smaller than that of ABI 1.0: set it to sizeof(weir_plugin_descriptor_v1)");
        }
        if (descriptor_->abi_minor > WEIR_ABI_MINOR) {
            throw Misuse("the plugin needs ABI 1." + std::to_string(descriptor_->abi_minor) + ", this test kit offers 1." +
                         std::to_string(WEIR_ABI_MINOR));
        }
        if (descriptor_->name.size == 0 || descriptor_->version.size == 0) {
            throw Misuse("the descriptor has no name or no version");
        }
    }
    void check_read(const weir_read_v1 &read) const {
        const auto type = detail::string(read.event_type);
        if (!is_event_type(type) || read.table >= tables_.size() || read.key_count != tables_[read.table].primary_key.size()) {
            throw Misuse("the descriptor's read for " + type + " names no event type, no table, or not a pointer for each key column");
        }
        if (!handler(type)) {
            throw Misuse("the descriptor declares a read for " + type + ", but no " +
                         handler_symbol(weir::detail::text(descriptor_->name), type) + " is exported");
        }
    }

    std::string file_;
    void *library_;
    const weir_plugin_descriptor_v1 *descriptor_ = nullptr;
    std::vector<TableInfo> tables_;
};

} // namespace weir::testkit
