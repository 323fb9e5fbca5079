// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "existing.hpp"
#include "standard_tables.hpp"

#include <optional>
#include <string>

namespace weir::store::postgresql {

/// Whether a column that another program made can hold what a declared one does, and what has to be done about it where it can't.
///
/// A text fits text, character varying (what is too long is refused, as data) and enumerations (outside of keys and indexes); a
/// case-insensitive text fits text, character varying and citext; int64 any integer; float64 double precision; a decimal numeric of the
/// same scale and at most 18 digits; a time timestamp with or without time zone (taken as UTC), to the microsecond; json jsonb and json;
/// boolean, uuid and bytes only their own type.
/// @return the reason it doesn't fit
std::optional<std::string> misfit(const TableForm &form, const Column &column, const ExistingColumn &existing);

/// Whether a text column of a standard table, which fits as such, is too short or has too few labels for what Weir writes there.
/// @return why, and what to do
std::optional<std::string> refused_text(const TableForm &form, const Column &column, const ExistingColumn &existing);

} // namespace weir::store::postgresql
