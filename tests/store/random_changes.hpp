// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "random.hpp"
#include "store/changes.hpp"
#include "store/schema.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::test {

/// Schemas, keys and changes drawn from pools of values that hurt: limits, nulls, equal times, spellings that differ in case, emoji, empty
/// strings. Everything made passes check_schema and check_change. JSON values are spelled as jsonb prints them, so that they come back from
/// either store as they went in.

/// @param tables of 1..4; every column type, literal, clock and id defaults, keys of 1..3 columns; no references and no unique indexes
store::Schema random_schema(Random &random, std::size_t tables);

/// A canonical value of the column, null only where it may be.
store::Value random_value(Random &random, const store::Column &column);

/// One of a few keys of the table, so that changes meet; citext parts come in several spellings.
store::Key random_key(Random &random, const store::Table &table);

/// Which changes are made: all kinds, or those that fold without their row (upserts and insertions without guards, mostly one operation a
/// column).
enum class ChangeMix { all, blind };

/// A change, checked and canonical.
store::Change random_change(Random &random, const store::Schema &schema, ChangeMix mix);

/// Origins of which some share their clock.
store::Origin random_origin(Random &random);

/// For messages of failing tests.
std::string describe(const store::Value &value);
std::string describe(const std::vector<store::Value> &values);
std::string describe(const store::Schema &schema, const store::Change &change);

} // namespace weir::test
