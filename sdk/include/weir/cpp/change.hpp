// SPDX-License-Identifier: Apache-2.0
/// @file
/// Changes: what a handler asks to be written.
#pragma once

#include "event.hpp"
#include "table.hpp"

#include <exception>
#include <list>

namespace weir {

/// @cond internal
namespace detail {

template <class T> inline constexpr bool is_optional = false;
template <class T> inline constexpr bool is_optional<std::optional<T>> = true;

/// A cell that borrows `value`; nullptr and an empty optional are null.
template <class V> weir_cell_v1 make_cell(std::uint32_t column, std::uint32_t operation, const V &value) {
    weir_cell_v1 cell{};
    cell.column = column;
    cell.operation = operation;
    if constexpr (std::is_same_v<V, std::nullptr_t>) {
        cell.flags = WEIR_CELL_IS_NULL;
    } else if constexpr (is_optional<V>) {
        return value ? make_cell(column, operation, *value) : make_cell(column, operation, nullptr);
    } else if constexpr (std::is_same_v<V, std::string_view>) {
        cell.text = view(value);
    } else if constexpr (std::is_same_v<V, Uuid>) {
        cell.text = view(value.text());
    } else if constexpr (std::is_same_v<V, Json>) {
        cell.text = view(value.text);
    } else if constexpr (std::is_same_v<V, Bytes>) {
        cell.text = view(value.data);
    } else if constexpr (std::is_same_v<V, Timestamp>) {
        cell.integer = value.time_since_epoch().count();
    } else if constexpr (std::is_same_v<V, double>) {
        cell.number = value;
    } else if constexpr (is_decimal<V>) {
        cell.integer = value.unscaled;
    } else {
        static_assert(std::is_same_v<V, std::int64_t> || std::is_same_v<V, bool>);
        cell.integer = value;
    }
    return cell;
}

/// A change that is being put together. Texts are copied, so that a temporary may be given to any of its functions.
class ChangeBuilder {
public:
    ChangeBuilder(const weir_call_v1 &call, ChangeBuilder *&open, std::uint32_t table, std::uint32_t kind)
        : call_(call), open_(open), table_(table), kind_(kind), exceptions_(std::uncaught_exceptions()) {
        if (open_) {
            open_->state();
        }
        open_ = this;
    }
    /// States the change, unless an exception is on its way: then the handler is failing and half a change must not be seen.
    ~ChangeBuilder() {
        if (std::uncaught_exceptions() > exceptions_) {
            stated_ = true;
        }
        state();
        if (open_ == this) {
            open_ = nullptr;
        }
    }
    ChangeBuilder(const ChangeBuilder &) = delete;
    ChangeBuilder &operator=(const ChangeBuilder &) = delete;

    /// Hands the change to the host, once. What the host finds wrong with it, it notes itself.
    void state() noexcept {
        if (stated_) {
            return;
        }
        stated_ = true;
        weir_change_v1 change{};
        change.size = sizeof(change);
        change.table = table_;
        change.kind = kind_;
        change.cell_count = count_;
        change.cells = cells_.data();
        change.cell_stride = sizeof(weir_cell_v1);
        change.guard = has_guard_ ? &guard_ : nullptr;
        call_.change(&call_, &change);
    }

    template <class V> void cell(std::uint32_t column, std::uint32_t operation, const V &value) {
        if (stated_) {
            plugin_error("a change was gone on with after the next change, read or emit had begun");
        }
        if (count_ == cells_.size()) {
            plugin_error("a change states more than 64 cells");
        }
        cells_[count_] = copied(column, operation, value);
        ++count_;
    }

    template <class V> void guard(std::uint32_t column, const V &value) {
        if (has_guard_) {
            plugin_error("a change has one guard");
        }
        guard_ = copied(column, WEIR_CELL_SET, value);
        has_guard_ = true;
    }

private:
    template <class V> weir_cell_v1 copied(std::uint32_t column, std::uint32_t operation, const V &value) {
        weir_cell_v1 cell = make_cell(column, operation, value);
        cell.text = keep(text(cell.text));
        return cell;
    }

    weir_view keep(std::string_view value) {
        if (value.size() <= arena_.size() - used_) {
            char *at = arena_.data() + used_;
            std::copy(value.begin(), value.end(), at);
            used_ += value.size();
            return {at, value.size()};
        }
        return view(overflow_.emplace_back(value));
    }

    const weir_call_v1 &call_;
    ChangeBuilder *&open_;
    std::uint32_t table_;
    std::uint32_t kind_;
    int exceptions_;
    std::uint32_t count_ = 0;
    bool has_guard_ = false;
    bool stated_ = false;
    weir_cell_v1 guard_{};
    std::size_t used_ = 0;
    std::array<weir_cell_v1, 64> cells_; // as many as a table may have columns; written before it is read
    std::array<char, 512> arena_;
    std::list<std::string> overflow_;
};

template <class C>
concept Additive = C::Type::type == WEIR_TYPE_INT64 || C::Type::type == WEIR_TYPE_DECIMAL;
template <class C>
concept Ordered = Additive<C> || C::Type::type == WEIR_TYPE_TIMESTAMP;

} // namespace detail
/// @endcond

/**
 * One change to one row of `T`, stated when its expression ends:
 *
 *     call.upsert(users, id).set(users.email, email).unless_later(users.updated_at, event.occurred_at());
 *
 * Kept in a variable, it is stated when the next change, read or emit begins, or when the variable goes out of scope; to go on
 * with it after that rejects the event. Of an exception on its way, nothing is stated. Texts given to it are copied.
 */
template <class T, std::uint32_t Kind> class Change {
public:
    static constexpr bool makes_or_changes = Kind != WEIR_CHANGE_ERASE; ///< whether it has cells besides its key
    static constexpr bool may_have_guard = Kind != WEIR_CHANGE_INSERT;  ///< whether it looks at an existing row

    /// Sets a cell.
    template <class K, bool N>
    Change &set(const Column<T, K, N> &column, const std::type_identity_t<typename K::Value> &value) requires makes_or_changes {
        builder_.cell(column.index(), WEIR_CELL_SET, value);
        return *this;
    }
    /// Sets a cell, to null where there is no value.
    template <class K>
    Change &set(const Column<T, K, true> &column,
                const std::type_identity_t<std::optional<typename K::Value>> &value) requires makes_or_changes {
        builder_.cell(column.index(), WEIR_CELL_SET, value);
        return *this;
    }
    /// Sets a cell to null.
    template <class K> Change &set(const Column<T, K, true> &column, std::nullopt_t) requires makes_or_changes {
        builder_.cell(column.index(), WEIR_CELL_SET, nullptr);
        return *this;
    }
    /// Sets a cell only where the payload carries the member: null there is null here, and rejects the event where the column takes none.
    template <class K, bool N>
    Change &set_carried(const Column<T, K, N> &column, const Event &event, std::string_view pointer) requires makes_or_changes {
        if (!event.has(pointer)) {
            return *this;
        }
        if constexpr (N) {
            return set(column, event.optional<typename K::Value>(pointer));
        } else {
            return set(column, event.required<typename K::Value>(pointer));
        }
    }
    /// Sets a cell only where the row is being made by this change.
    template <class K, bool N>
    Change &keep(const Column<T, K, N> &column, const std::type_identity_t<typename K::Value> &value) requires makes_or_changes {
        builder_.cell(column.index(), WEIR_CELL_KEEP, value);
        return *this;
    }
    /// As `keep`, null where there is no value.
    template <class K>
    Change &keep(const Column<T, K, true> &column,
                 const std::type_identity_t<std::optional<typename K::Value>> &value) requires makes_or_changes {
        builder_.cell(column.index(), WEIR_CELL_KEEP, value);
        return *this;
    }
    /// Adds to a whole number or decimal; null counts as 0.
    template <class K, bool N>
    Change &add(const Column<T, K, N> &column,
                const std::type_identity_t<typename K::Value> &value) requires(makes_or_changes &&detail::Additive<Column<T, K, N>>) {
        builder_.cell(column.index(), WEIR_CELL_ADD, value);
        return *this;
    }
    /// The greater, or later, of the two; null counts as absent.
    template <class K, bool N>
    Change &max(const Column<T, K, N> &column,
                const std::type_identity_t<typename K::Value> &value) requires(makes_or_changes &&detail::Ordered<Column<T, K, N>>) {
        builder_.cell(column.index(), WEIR_CELL_MAX, value);
        return *this;
    }
    /// The smaller, or earlier, of the two; null counts as absent.
    template <class K, bool N>
    Change &min(const Column<T, K, N> &column,
                const std::type_identity_t<typename K::Value> &value) requires(makes_or_changes &&detail::Ordered<Column<T, K, N>>) {
        builder_.cell(column.index(), WEIR_CELL_MIN, value);
        return *this;
    }
    /// The guard: where the row exists and this column holds something later (greater) than `value`, nothing happens and the event counts
    /// as stale.
    template <class K, bool N>
    Change &unless_later(const Column<T, K, N> &column,
                         const std::type_identity_t<typename K::Value> &value) requires(may_have_guard &&detail::Ordered<Column<T, K, N>>) {
        builder_.guard(column.index(), value);
        return *this;
    }

private:
    friend class Call;
    template <class... KeyParts>
    Change(const weir_call_v1 &call, detail::ChangeBuilder *&open, std::uint32_t table, const detail::KeyOf<T> &key,
           const KeyParts &...values)
        : builder_(call, open, table, Kind) {
        std::size_t at = 0;
        (builder_.cell(key.columns[at++], WEIR_CELL_SET, values), ...);
    }
    detail::ChangeBuilder builder_;
};

} // namespace weir
