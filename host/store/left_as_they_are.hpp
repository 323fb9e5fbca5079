// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/schema.hpp"

#include <string>
#include <vector>

namespace weir::store {

/// What a replacement doesn't replace: tables whose rows stay, and tables of which it keeps rows that the shadow lacks.
struct LeftAsTheyAre {
    std::vector<std::string> tables;
    std::vector<std::string> rows_of;

    /// SQL: the context of a dead letter, which says so where its event was applied.
    /// @param context a column that holds a JSON object, as it is written
    /// @param unapplied a condition under which the event has no effect
    std::string context_of(const std::string &context, const std::string &unapplied, const std::string &type) const;
};

/// What is wrong where rows of one table would refer to rows of another that aren't there: in words, for whoever has to mend it.
std::string open_reference(const Table &from, const Table &to);

} // namespace weir::store
