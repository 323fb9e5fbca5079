// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::store {

/// A cell's value in its canonical form: nothing (null), an integer (int64, decimal unscaled, bool, timestamp in microseconds), a double,
/// or a string (text, citext, uuid in lower case, json, bytes).
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

enum class Type : std::uint8_t { text = 1, citext, int64, float64, decimal, boolean, uuid, timestamp, json, bytes };

std::string_view type_name(Type type) noexcept;

enum class Default : std::uint8_t { none, literal, now, new_id };

struct Column {
    std::string name;
    Type type = Type::text;
    bool nullable = false;
    std::uint32_t precision = 0;
    std::uint32_t scale = 0;
    Default default_kind = Default::none;
    Value default_value; ///< for Default::literal, already checked against the type
};

struct Index {
    std::string name;
    std::vector<std::uint32_t> columns;
    bool unique = false;
};

struct Reference {
    std::vector<std::uint32_t> columns;
    std::uint32_t target_table = 0;
    std::vector<std::uint32_t> target_columns;
};

struct Table {
    std::string name;
    std::vector<Column> columns;
    std::vector<std::uint32_t> primary_key;
    std::vector<Index> indexes;
    std::vector<Reference> references;
};

/// A function that counts for other clients of the database, where the store has functions: adds 1 to `count_column` of the row with the
/// key that it is called with, which it makes where it is missing, and puts the time on `time_column`.
struct Counter {
    std::string name;
    std::uint32_t table = 0;
    std::uint32_t count_column = 0;
    std::optional<std::uint32_t> time_column;
};

/// A domain's own tables, as its plugin declares them.
struct Schema {
    std::vector<Table> tables;
    std::vector<Counter> counters{};
};

/// A whole row in the order of its table's columns, or a key in the order of the primary key.
using Row = std::vector<Value>;
using Key = std::vector<Value>;

/// What is wrong with a declared schema (names, types, keys, references), naming table and column; nothing where it is right.
std::optional<std::string> check_schema(const Schema &schema);

/// Brings a value to its canonical form and checks it against a column: UTF-8, no NUL, finite, in range, JSON that jsonb takes, null only
/// where nullable. Returns the reason it is refused.
std::optional<std::string> canonicalise(const Column &column, Value &value);

/// Reads a literal as `weir_column_v1::default_text` writes it.
std::optional<std::string> parse_literal(const Column &column, std::string_view text, Value &out);

/// Whether two values of a key column name the same row; citext compares without ASCII case.
Key comparable_key(const Table &table, Key key);

} // namespace weir::store
