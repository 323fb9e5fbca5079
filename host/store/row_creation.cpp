// SPDX-License-Identifier: Apache-2.0
#include "row_creation.hpp"

#include <algorithm>

namespace weir::store {

namespace {

std::string key_text(const Value &value) {
    if (const auto *integer = std::get_if<std::int64_t>(&value)) {
        return std::to_string(*integer);
    }
    const auto *text = std::get_if<std::string>(&value);
    return text ? *text : std::string();
}

Value default_of(const Table &table, const Column &column, const Key &key, const Origin &origin) {
    switch (column.default_kind) {
    case Default::none:
        break;
    case Default::literal:
        return column.default_value;
    case Default::now:
        return origin.now;
    case Default::new_id:
        return event::Uuid::v5(origin.event_id, new_id_name(table, column, key)).text();
    }
    return std::monostate();
}

bool states(const Change &change, std::uint32_t column) {
    return std::any_of(change.cells.begin(), change.cells.end(), [&](const Cell &cell) { return cell.column == column; });
}

} // namespace

std::string new_id_name(const Table &table, const Column &column, const Key &key) {
    std::string name = table.name + "." + column.name;
    for (const Value &value : comparable_key(table, key)) {
        const std::string text = key_text(value);
        name += "/" + std::to_string(text.size()) + ":" + text;
    }
    return name;
}

Row row_of_defaults(const Table &table, const Change &change, const Origin &origin) {
    Row row(table.columns.size());
    for (std::uint32_t i = 0; i < row.size(); ++i) {
        const Column &column = table.columns[i];
        if (column.default_kind == Default::none) {
            continue;
        }
        // A digest costs more than all the rest of a change: none for an id that is about to be overwritten.
        if (column.default_kind == Default::new_id && states(change, i)) {
            continue;
        }
        row[i] = default_of(table, column, change.key, origin);
    }
    for (std::size_t i = 0; i < change.key.size(); ++i) {
        row[table.primary_key[i]] = change.key[i];
    }
    return row;
}

} // namespace weir::store
