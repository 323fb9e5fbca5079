// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "letter_statements.hpp"
#include "standard_tables.hpp"
#include "wire.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::store::postgresql {

/// The form in which values of a declared type travel.
Form form_of(Type type) noexcept;

/// A text as case-insensitive ones are compared: by the host's rule, which folds the letters of ASCII alone.
std::string fold_case(std::string text);

/// A column as it lies in the database: of the type that Weir would give it, or of another that fits, where another program made it.
struct ColumnLayout {
    std::string name; ///< in quotes
    Form form = Form::text;
    std::uint32_t scale = 0;
    bool folded = false; ///< case-insensitive
    bool nullable = false;
    bool is_plain = true;  ///< of Weir's own type: no casts
    std::string cast_to;   ///< where a value has to be cast before it is written: the column's type, as an enumeration
    bool is_sorted = true; ///< whether its own order is that of the host: bytes, numbers, times

    /// The column in a list of results: "target"."name", cast where it has to be.
    std::string read(const std::string &target) const;
    /// A given value as it is written: cast where it has to be. Lengths are left to the assignment, which refuses what is too long.
    std::string write(const std::string &given) const;
    /// What is compared and ordered: folded, bytewise.
    std::string comparable(const std::string &target) const;
};

/// A table of a domain, and the pieces of SQL about it. Immutable.
struct TableLayout {
    std::string name;  ///< "schema"."table"
    std::string plain; ///< for messages: table
    const Table *table = nullptr;
    std::vector<ColumnLayout> columns;
    std::vector<std::string> undeclared; ///< columns in quotes that the declaration doesn't name, generated ones left out

    const ColumnLayout &key(std::size_t part) const { return columns[table->primary_key[part]]; }
    /// "a", "b": where a row conflicts with one that is there.
    std::string conflict_target() const;
    /// target.k = given.c0 and ...
    std::string key_matches(const std::string &target) const;
    /// All columns as results.
    std::string all_columns(const std::string &target) const;
};

/// unnest($1::text[], $2::bigint[]) as given(c0, c1), for columns of many rows.
std::string given(std::span<const Form> forms, bool numbered = false);

/// What a domain's sessions know of it. Immutable.
struct Layout {
    Schema schema;                   ///< the plugin's
    std::vector<TableLayout> tables; ///< in the order of the schema
    bool has_references = false;
    LetterLimits letter_limits;
};

} // namespace weir::store::postgresql
