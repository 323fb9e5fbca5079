// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"
#include "layout.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace weir::store::postgresql {

/// A condition on rows `c` and `t` of two tables: that `c` refers to `t`.
std::string refers(const TableLayout &from, const Reference &reference, const TableLayout &to);

/**
 * The rows that a replacement may not remove, though the shadow lacks them: rows of tables that stay refer to them, or rows that are kept
 * themselves do. Within one transaction, before any row of it was changed: rows are known by where they lie.
 */
class KeptRows {
public:
    /// @param stays by table: whether its rows stay as they are
    /// @param missing by table: the condition under which the shadow lacks the row `t`. Everything outlives this
    KeptRows(Connection &connection, const Layout &layout, const std::vector<bool> &stays, const std::vector<std::string> &missing);

    std::size_t count(std::size_t table) const { return rows_[table].size(); }
    /// A condition on the row `t` with one parameter, which is `list`: that it isn't kept.
    static std::string isnt_kept();
    std::string list(std::size_t table) const;

private:
    using Rows = std::set<std::string>;
    void follow(std::size_t child, const Rows *only, std::vector<Rows> &found);

    Connection &connection_;
    const Layout &layout_;
    const std::vector<bool> &stays_;
    const std::vector<std::string> &missing_;
    std::vector<Rows> rows_; // by table
};

} // namespace weir::store::postgresql
