// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string_view>

namespace weir::http {

/// Without blanks and tabs around it.
inline std::string_view trimmed(std::string_view text) noexcept {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Calls for each element of a comma-separated list (RFC 9110, section 5.6.1) that is not empty, trimmed. Commas in quotes don't separate.
template <typename Call> void for_each_element(std::string_view list, Call &&call) {
    bool quoted = false;
    std::size_t begin = 0;
    for (std::size_t at = 0; at <= list.size(); ++at) {
        if (at < list.size() && list[at] == '"') {
            quoted = !quoted;
        }
        if (at == list.size() || (list[at] == ',' && !quoted)) {
            if (const std::string_view element = trimmed(list.substr(begin, at - begin)); !element.empty()) {
                call(element);
            }
            begin = at + 1;
        }
    }
}

} // namespace weir::http
