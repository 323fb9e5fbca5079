// SPDX-License-Identifier: Apache-2.0
#include "layout.hpp"

#include <algorithm>

namespace weir::store::postgresql {

Form form_of(Type type) noexcept {
    switch (type) {
    case Type::int64:
        return Form::int8;
    case Type::float64:
        return Form::float8;
    case Type::decimal:
        return Form::numeric;
    case Type::boolean:
        return Form::boolean;
    case Type::uuid:
        return Form::uuid;
    case Type::timestamp:
        return Form::timestamptz;
    case Type::json:
        return Form::jsonb;
    case Type::bytes:
        return Form::bytea;
    case Type::text:
    case Type::citext:
        break;
    }
    return Form::text;
}

std::string fold_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c); });
    return text;
}

std::string ColumnLayout::read(const std::string &target) const {
    const std::string column = target + "." + name;
    return is_plain ? column : "cast(" + column + " as " + type_of(form) + ")";
}

std::string ColumnLayout::write(const std::string &given) const {
    return cast_to.empty() ? given : "cast(" + given + " as " + cast_to + ")";
}

std::string ColumnLayout::comparable(const std::string &target) const {
    const std::string column = (target.empty() ? "" : target + ".") + name;
    if (folded) {
        return "lower(cast(" + column + " as text) collate \"C\")";
    }
    return is_sorted ? column : column + " collate \"C\"";
}

std::string TableLayout::conflict_target() const {
    std::string sql;
    for (std::size_t i = 0; i < table->primary_key.size(); ++i) {
        sql += (i ? ", " : "") + (key(i).folded ? key(i).comparable("") : key(i).name);
    }
    return sql;
}

std::string TableLayout::key_matches(const std::string &target) const {
    std::string sql;
    for (std::size_t i = 0; i < table->primary_key.size(); ++i) {
        const ColumnLayout &column = key(i);
        sql += (i ? " and " : "") + (column.folded ? column.comparable(target) : target + "." + column.name) + " = " +
               column.write("given.c" + std::to_string(i));
    }
    return sql;
}

std::string TableLayout::all_columns(const std::string &target) const {
    std::string sql;
    for (const ColumnLayout &column : columns) {
        sql += (sql.empty() ? "" : ", ") + column.read(target);
    }
    return sql;
}

std::string given(std::span<const Form> forms, bool numbered) {
    std::string arrays;
    std::string names;
    for (std::size_t i = 0; i < forms.size(); ++i) {
        arrays += (i ? ", $" : "$") + std::to_string(i + 1) + "::" + type_of(forms[i]) + "[]";
        names += (i ? ", c" : "c") + std::to_string(i);
    }
    return "unnest(" + arrays + ")" + (numbered ? " with ordinality" : "") + " as given(" + names + (numbered ? ", n)" : ")");
}

} // namespace weir::store::postgresql
