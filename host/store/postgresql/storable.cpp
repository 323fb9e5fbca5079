// SPDX-License-Identifier: Apache-2.0
#include "storable.hpp"

#include "store/schema.hpp"

#include <algorithm>

namespace weir::store::postgresql {

std::string storable(const std::string &text) {
    static const Column column = [] {
        Column made;
        made.name = "text";
        return made;
    }();
    Value value = text;
    if (!canonicalise(column, value)) {
        return std::get<std::string>(std::move(value));
    }
    std::string out = text;
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == '\0' || static_cast<unsigned char>(c) >= 0x80; }, '?');
    return out;
}

std::optional<std::string> storable_json(const std::optional<std::string> &document) {
    static const Column column = [] {
        Column made;
        made.name = "document";
        made.type = Type::json;
        return made;
    }();
    if (!document) {
        return std::nullopt;
    }
    Value value = *document;
    return canonicalise(column, value) ? std::nullopt : std::optional(std::get<std::string>(std::move(value)));
}

} // namespace weir::store::postgresql
