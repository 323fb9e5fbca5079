// SPDX-License-Identifier: Apache-2.0
#include "store/left_as_they_are.hpp"

#include "store/store.hpp"

namespace weir::store {

namespace {

/// A member of a JSON object. Names of tables need no escapes.
std::string member(std::string_view name, const std::vector<std::string> &tables) {
    std::string list;
    for (const std::string &table : tables) {
        list += (list.empty() ? "\"" : ",\"") + table + "\"";
    }
    return "\"" + std::string(name) + "\":[" + list + "]";
}

} // namespace

std::string LeftAsTheyAre::context_of(const std::string &context, const std::string &unapplied, const std::string &type) const {
    if (tables.empty()) {
        return context;
    }
    const std::string text = "cast(" + context + " as text)";
    return "case when " + unapplied + " then " + context + " else cast('{" + member(kKeptTables, tables) + "," +
           member(kKeptRowsOf, rows_of) + "' || case when " + text + " = '{}' then '}' else ',' || substr(" + text + ", 2) end as " + type +
           ") end";
}

std::string open_reference(const Table &from, const Table &to) {
    return "rows of " + from.name + " would refer to rows of " + to.name + " that aren't there";
}

} // namespace weir::store
