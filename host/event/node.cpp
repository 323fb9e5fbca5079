// SPDX-License-Identifier: Apache-2.0
#include "node.hpp"

#include "json_pointer.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir::event {

namespace {

/// Up to so many members, looking at each is quicker than halving.
constexpr std::size_t kFewMembers = 12;

/// An array's element by its index's decimal form, without sign or leading zeros. [RFC 6901, section 4]
const Node *element(const Node &array, std::string_view token) {
    if (token.empty() || (token.size() > 1 && token.front() == '0')) {
        return nullptr;
    }
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    if (error != std::errc() || end != token.data() + token.size() || index >= array.size) {
        return nullptr;
    }
    return array.begin() + index;
}

template <typename Number> void append_number(std::string &out, Number number) {
    char digits[24];
    const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), number);
    out.append(digits, end);
}

/// What stands for a character in a text: itself, "\\n" or "\\u001f".
void append_character(std::string &out, char c) {
    static constexpr char digits[] = "0123456789abcdef";
    static constexpr std::string_view named = "\b\t\n\f\r\"\\";
    static constexpr std::string_view letters = "btnfr\"\\";
    out += '\\';
    if (const std::size_t at = named.find(c); at != std::string_view::npos) {
        out += letters[at];
    } else {
        out += "u00";
        out += digits[static_cast<unsigned char>(c) >> 4];
        out += digits[static_cast<unsigned char>(c) & 0x0F];
    }
}

void append_text(std::string &out, std::string_view text) {
    out += '"';
    std::size_t copied = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (static_cast<unsigned char>(text[i]) < 0x20 || text[i] == '"' || text[i] == '\\') {
            out.append(text, copied, i - copied);
            append_character(out, text[i]);
            copied = i + 1;
        }
    }
    out.append(text, copied, text.size() - copied);
    out += '"';
}

void append_children(std::string &out, const Node &node) {
    const bool named = node.is_object();
    out += named ? '{' : '[';
    for (const Node &child : node) {
        if (&child != node.begin()) {
            out += ',';
        }
        if (named) {
            append_text(out, child.name);
            out += ':';
        }
        append_json(out, child);
    }
    out += named ? '}' : ']';
}

} // namespace

const Node *find_member(const Node &object, std::string_view name) {
    if (object.size > kFewMembers) {
        const Node *found = std::lower_bound(object.begin(), object.end(), name,
                                             [](const Node &member, std::string_view wanted) { return member.name < wanted; });
        return found != object.end() && found->name == name ? found : nullptr;
    }
    for (const Node &member : object) {
        if (member.name == name) {
            return &member;
        }
    }
    return nullptr;
}

const Node *find_value(const Node &root, std::string_view pointer) {
    if (!pointer.empty() && pointer.front() != '/') {
        return nullptr;
    }
    const Node *value = &root;
    std::string storage;
    std::string_view token;
    while (!pointer.empty()) {
        if (!take_token(pointer, storage, token)) {
            return nullptr;
        }
        if (value->is_object()) {
            value = find_member(*value, token);
        } else {
            value = value->is_array() ? element(*value, token) : nullptr;
        }
        if (!value) {
            return nullptr;
        }
    }
    return value;
}

void append_json(std::string &out, const Node &node) {
    switch (node.type) {
    case NodeType::null:
        out += "null";
        break;
    case NodeType::boolean:
        out += node.boolean ? "true" : "false";
        break;
    case NodeType::whole:
        append_number(out, node.whole);
        break;
    case NodeType::signed_whole:
        append_number(out, node.signed_whole);
        break;
    case NodeType::real:
        out += nlohmann::json(node.real).dump(); // its shortest form is what was always written, in the store too
        break;
    case NodeType::text:
        append_text(out, node.as_text());
        break;
    case NodeType::array:
    case NodeType::object:
        append_children(out, node);
        break;
    }
}

} // namespace weir::event
