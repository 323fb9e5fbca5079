// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/uuid.hpp"
#include "store/schema.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::store::postgresql {

/// How a column's values travel: PostgreSQL's binary forms, in network order. [PostgreSQL, the types' send and receive functions]
enum class Form : std::uint8_t { text, int8, float8, numeric, boolean, uuid, timestamptz, json, jsonb, bytea };

/// The name of the form's type in SQL.
const char *type_of(Form form) noexcept;

/// A parameter of a statement.
struct Parameter {
    unsigned array_type = 0; ///< the type's object id; 0: the statement says the type, and `bytes` are text without NUL
    std::string bytes;
    bool is_null = false;
};

/// One column of many rows as a binary array: no escaping, and nothing to parse for the server.
class Array {
public:
    explicit Array(Form form, std::uint32_t scale = 0);
    void reserve(std::size_t values) { bytes_.reserve(values * 20); }

    void null();
    void text(std::string_view value);
    void integer(std::int64_t value);
    void uuid(const event::Uuid &id);
    /// A canonical value of a column of this form.
    void value(const Value &value);

    /// The finished parameter. Once.
    Parameter take();

private:
    void length(std::size_t bytes);
    void numeric(std::int64_t unscaled);

    Form form_;
    std::uint32_t scale_;
    std::uint32_t count_ = 0;
    bool has_nulls_ = false;
    std::string bytes_;
};

/// The canonical value of a result in binary form. Throws SchemaWrong where it is none: an infinite time, a number of more digits.
Value decode(Form form, std::uint32_t scale, std::string_view bytes);

/// A 64-bit number in network order.
std::int64_t decode_integer(std::string_view bytes);

} // namespace weir::store::postgresql
