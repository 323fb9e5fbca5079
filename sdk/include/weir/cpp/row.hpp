// SPDX-License-Identifier: Apache-2.0
/// @file
/// A row, as a handler reads it.
#pragma once

#include "event.hpp"
#include "table.hpp"

namespace weir {

/// @cond internal
namespace detail {
/// The host refused a call and has noted why; thrown through the handler.
struct Refused {};
} // namespace detail
/// @endcond

/// A row that was read, valid until the handler returns.
template <class T> class Row {
public:
    /// @param row as the host handed it over; outlives this
    explicit Row(const weir_row_v1 &row) noexcept : row_(&row) {}

    /// The value of a column that is never null.
    template <class K> typename K::Value operator[](const Column<T, K, false> &column) const {
        const auto value = get<K>(column.index());
        if (!value) {
            throw Reject("unexpected_row", "a column that is not nullable was read as null");
        }
        return *value;
    }
    /// The value of a nullable column; nothing where it is null.
    template <class K> std::optional<typename K::Value> operator[](const Column<T, K, true> &column) const {
        return get<K>(column.index());
    }

private:
    template <class K> std::optional<typename K::Value> get(std::uint32_t index) const {
        if (index >= row_->cell_count) {
            throw Reject("unexpected_row", "a row was read without its last columns");
        }
        const auto *cell =
            reinterpret_cast<const weir_cell_v1 *>(reinterpret_cast<const char *>(row_->cells) + std::size_t{index} * row_->cell_stride);
        if (cell->flags & WEIR_CELL_IS_NULL) {
            return std::nullopt;
        }
        using V = typename K::Value;
        if constexpr (std::is_same_v<V, Uuid>) {
            const auto uuid = Uuid::parse(detail::text(cell->text));
            if (!uuid) {
                throw Reject("unexpected_row", "a column of UUIDs was read as something else");
            }
            return uuid;
        } else if constexpr (std::is_same_v<V, Timestamp>) {
            return Timestamp(std::chrono::microseconds(cell->integer));
        } else if constexpr (std::is_same_v<V, double>) {
            return cell->number;
        } else if constexpr (std::is_same_v<V, std::int64_t> || std::is_same_v<V, bool>) {
            return static_cast<V>(cell->integer);
        } else if constexpr (detail::is_decimal<V>) {
            return V{cell->integer};
        } else {
            return V(detail::text(cell->text));
        }
    }
    const weir_row_v1 *row_;
};

} // namespace weir
