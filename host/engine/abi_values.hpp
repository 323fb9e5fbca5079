// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/schema.hpp"

#include "weir/abi.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::engine {

/*
 * Values as they cross the ABI, and as the host knows them.
 */

inline constexpr std::size_t kErrorTextLimit = 1024; // of a reason that a plugin gives

inline weir_view view_of(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view text_of(weir_view view) { return view.data ? std::string_view(view.data, view.size) : std::string_view(); }

/// A text of a plugin, cut to what a log line or a dead letter should hold.
inline std::string bounded(std::string_view text) { return std::string(text.substr(0, kErrorTextLimit)); }

/// The part of an array element that both sides know, over an element of this host's size.
inline weir_cell_v1 read_cell(const weir_cell_v1 *cells, std::uint32_t stride, std::uint32_t index) {
    weir_cell_v1 cell{};
    const std::size_t known = std::min<std::size_t>(stride, sizeof cell);
    std::memcpy(&cell, reinterpret_cast<const char *>(cells) + static_cast<std::size_t>(stride) * index, known);
    return cell;
}

/// A cell's value by its column's type; the store's own check brings it to canonical form.
inline store::Value value_of(const store::Column &column, const weir_cell_v1 &cell) {
    if (cell.flags & WEIR_CELL_IS_NULL) {
        return std::monostate{};
    }
    switch (column.type) {
    case store::Type::int64:
    case store::Type::decimal:
    case store::Type::boolean:
    case store::Type::timestamp:
        return cell.integer;
    case store::Type::float64:
        return cell.number;
    default:
        return std::string(text_of(cell.text));
    }
}

/// A row's cell as a handler sees it; views into `value`.
inline weir_cell_v1 cell_of(std::uint32_t column, const store::Value &value) {
    weir_cell_v1 cell{};
    cell.column = column;
    if (const auto *integer = std::get_if<std::int64_t>(&value)) {
        cell.integer = *integer;
    } else if (const auto *number = std::get_if<double>(&value)) {
        cell.number = *number;
    } else if (const auto *text = std::get_if<std::string>(&value)) {
        cell.text = view_of(*text);
    } else {
        cell.flags = WEIR_CELL_IS_NULL;
    }
    return cell;
}

} // namespace weir::engine
