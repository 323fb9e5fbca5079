// SPDX-License-Identifier: Apache-2.0
/// @file
/// A bounded walk along an index, for routes.
#pragma once

#include "change.hpp"
#include "row.hpp"

#include <functional>

namespace weir {

/**
 * A walk over committed rows:
 *
 *     call.scan(orders).along("orders_by_customer").from(customer).to(customer).limit(50).each([&](const weir::Row<Orders> &row) { ... });
 *
 * Bounds are inclusive and name a prefix of the index's columns, or of the primary key's; values are of the columns' types. What is given
 * to it is borrowed until `each` returns.
 */
template <class T> class Scan {
public:
    /// For `Call::scan`. Both outlive this.
    Scan(const weir_call_v1 &call, const T &table, std::uint32_t index) noexcept : call_(call), table_(table) {
        scan_.size = sizeof(scan_);
        scan_.table = index;
        scan_.index = WEIR_SCAN_PRIMARY_KEY;
        scan_.limit = 100;
        scan_.cell_stride = sizeof(weir_cell_v1);
    }

    /// Along an index of the table instead of its primary key.
    Scan &along(std::string_view index_name) {
        if constexpr (requires { table_.indexes(); }) {
            const auto indexes = table_.indexes();
            for (std::size_t i = 0; i < indexes.size(); ++i) {
                if (indexes[i].name == index_name) {
                    scan_.index = static_cast<std::uint32_t>(i);
                    return *this;
                }
            }
        }
        detail::plugin_error("the table has no index " + std::string(index_name));
    }
    /// The least values.
    template <class... V> Scan &from(const V &...values) {
        scan_.from_count = fill(from_, values...);
        return *this;
    }
    /// The greatest values.
    template <class... V> Scan &to(const V &...values) {
        scan_.to_count = fill(to_, values...);
        return *this;
    }
    /// The values at which an earlier walk ended: all columns of the index, then all of the primary key. It goes on behind them.
    template <class... V> Scan &after(const V &...values) {
        scan_.after_count = fill(after_, values...);
        return *this;
    }
    /// Rows at the most: 1 to 1000; 100 otherwise.
    Scan &limit(std::uint32_t rows) {
        scan_.limit = rows;
        return *this;
    }

    /// Calls for each row, in order, with a `const Row<T> &` that is valid during the call. One that returns false stops the walk.
    /// @return how many rows there were
    template <class Use> std::size_t each(Use use) {
        struct State {
            Use &use;
            std::size_t count = 0;
            std::exception_ptr thrown;
        } state{use, 0, nullptr};
        const auto sink = [](void *user, const weir_row_v1 *raw) noexcept -> std::int32_t {
            auto &self = *static_cast<State *>(user);
            try {
                ++self.count;
                const Row<T> row(*raw);
                if constexpr (std::is_void_v<decltype(self.use(row))>) {
                    self.use(row);
                    return 1;
                } else {
                    return self.use(row) ? 1 : 0;
                }
            } catch (...) {
                self.thrown = std::current_exception();
                return 0;
            }
        };
        scan_.from = scan_.from_count ? from_.data() : nullptr;
        scan_.to = scan_.to_count ? to_.data() : nullptr;
        scan_.after = scan_.after_count ? after_.data() : nullptr;
        const weir_answer answer = call_.scan(&call_, &scan_, sink, &state);
        if (state.thrown) {
            std::rethrow_exception(state.thrown);
        }
        if (answer == WEIR_REFUSED) {
            throw detail::Refused{};
        }
        return state.count;
    }

private:
    using Cells = std::array<weir_cell_v1, 32>;

    static std::string_view plain(const char *text) { return text; }
    static std::string_view plain(const std::string &text) { return text; }
    static std::int64_t plain(int number) { return number; }
    template <class V> static const V &plain(const V &value) { return value; }

    template <class... V> static std::uint32_t fill(Cells &cells, const V &...values) {
        static_assert(sizeof...(V) >= 1 && sizeof...(V) <= 32, "a bound has 1 to 32 values");
        std::uint32_t count = 0;
        ((cells[count] = detail::make_cell(count, 0, plain(values)), ++count), ...);
        return count;
    }

    const weir_call_v1 &call_;
    const T &table_;
    weir_scan_v1 scan_{};
    Cells from_{};
    Cells to_{};
    Cells after_{};
};

} // namespace weir
