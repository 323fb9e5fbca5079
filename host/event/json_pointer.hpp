// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace weir::event {

/// Whether text is a JSON pointer. [RFC 6901, section 3]
inline bool is_json_pointer(std::string_view text) noexcept {
    if (!text.empty() && text.front() != '/') {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '~' && (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1'))) {
            return false;
        }
    }
    return true;
}

/// Takes the first reference token off a pointer that begins with "/"; unescaped into `storage` where it has to be.
/// False where an escape is malformed.
inline bool take_token(std::string_view &pointer, std::string &storage, std::string_view &token) {
    std::size_t end = 1; // tokens are short: one look at each character is quicker than two calls that search
    bool escaped = false;
    for (; end < pointer.size() && pointer[end] != '/'; ++end) {
        escaped |= pointer[end] == '~';
    }
    token = pointer.substr(1, end - 1);
    pointer.remove_prefix(end);
    if (!escaped) {
        return true;
    }
    storage.clear();
    for (std::size_t i = 0; i < token.size(); ++i) {
        if (token[i] != '~') {
            storage += token[i];
            continue;
        }
        if (++i == token.size() || (token[i] != '0' && token[i] != '1')) {
            return false;
        }
        storage += token[i] == '0' ? '~' : '/';
    }
    token = storage;
    return true;
}

/// Appends "/" and a name, escaped.
inline void append_token(std::string &pointer, std::string_view name) {
    pointer += '/';
    for (const char c : name) {
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
}

} // namespace weir::event
