// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/changes.hpp"
#include "store/schema.hpp"

#include <string>

namespace weir::test {

/// Column numbers of `small_schema`.
namespace users {
inline constexpr std::uint32_t kName = 0; ///< citext, the key
inline constexpr std::uint32_t kEmail = 1;
inline constexpr std::uint32_t kVisits = 2;  ///< int64, nullable, no default
inline constexpr std::uint32_t kCredit = 3;  ///< decimal(4,2), default 5.00
inline constexpr std::uint32_t kUpdated = 4; ///< timestamp, nullable
inline constexpr std::uint32_t kMade = 5;    ///< timestamp, default now
inline constexpr std::uint32_t kId = 6;      ///< uuid, default new_id
} // namespace users

inline store::Column make_column(const std::string &name, store::Type type, bool nullable) {
    store::Column column;
    column.name = name;
    column.type = type;
    column.nullable = nullable;
    return column;
}

/// Tables `users` (see above) and `votes` (choice text primary key, count int64 not null).
inline store::Schema small_schema() {
    using store::Type;
    store::Table table;
    table.name = "users";
    table.columns = {make_column("name", Type::citext, false),      make_column("email", Type::text, false),
                     make_column("visits", Type::int64, true),      make_column("credit", Type::decimal, false),
                     make_column("updated", Type::timestamp, true), make_column("made", Type::timestamp, false),
                     make_column("id", Type::uuid, false)};
    store::Column &credit = table.columns[users::kCredit];
    credit.precision = 4;
    credit.scale = 2;
    credit.default_kind = store::Default::literal;
    credit.default_value = std::int64_t{500};
    table.columns[users::kMade].default_kind = store::Default::now;
    table.columns[users::kId].default_kind = store::Default::new_id;
    table.primary_key = {users::kName};

    store::Table votes;
    votes.name = "votes";
    votes.columns = {make_column("choice", Type::text, false), make_column("count", Type::int64, false)};
    votes.primary_key = {0};
    return store::Schema{{table, votes}};
}

inline store::Change make_change(store::ChangeKind kind, const std::string &key, std::vector<store::Cell> cells = {},
                                 std::uint32_t table = 0) {
    return store::Change{table, kind, {key}, std::move(cells), {}};
}

inline store::Origin make_origin(std::uint8_t event, std::int64_t now) {
    store::Origin origin;
    origin.now = now;
    origin.event_id.bytes[15] = event;
    return origin;
}

} // namespace weir::test
