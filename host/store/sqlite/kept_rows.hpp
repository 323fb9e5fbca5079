// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace weir::store::sqlite {

/**
 * The rows that a replacement may not remove, though the shadow lacks them: rows of tables that stay refer to them, or rows that are kept
 * themselves do. Their keys lie in temporary tables, which go with this.
 */
class KeptRows {
public:
    /// @param stays whether a table's rows stay as they are
    /// @param missing the condition under which the shadow lacks the row `t` of a table. Everything outlives this
    KeptRows(Connection &connection, const Schema &schema, const std::function<bool(const Table &)> &stays,
             const std::function<std::string(const Table &)> &missing);

    /// Removes the temporary tables; to be called before the transaction ends well.
    void forget();

    std::uint64_t count(std::size_t table) const { return counts_[table]; }
    /// A condition on the row `t` of a table: that it is kept.
    std::string is_kept(std::size_t table) const;

private:
    std::uint64_t follow(std::size_t child, int level);

    Connection &connection_;
    const Schema &schema_;
    const std::function<bool(const Table &)> &stays_;
    const std::function<std::string(const Table &)> &missing_;
    std::vector<std::uint64_t> counts_; // by table
};

} // namespace weir::store::sqlite
