// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pool.hpp"

#include <string>

namespace weir::store::postgresql {

/// Where one domain lives. Outlived by its pool.
struct Place {
    Pool *pool = nullptr;
    std::string schema;

    /// "schema"."table"
    std::string qualified(const std::string &table) const { return quote_name(schema) + "." + quote_name(table); }
    /// The domain's role; empty where roles are switched off.
    std::string role() const;
    /// For messages: "the store postgresql://weir@localhost/app (schema linting)".
    std::string name() const { return pool->name() + " (schema " + schema + ")"; }
    /// A key for an advisory lock, of its own for what it is taken for.
    std::int64_t lock_key(const std::string &purpose) const;
};

} // namespace weir::store::postgresql
