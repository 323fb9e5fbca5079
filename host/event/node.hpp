// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::event {

/// What a value of a document is. A number keeps the form that it was written in: a whole one without a sign, one with a sign, any other.
enum class NodeType : std::uint8_t { null, boolean, whole, signed_whole, real, text, array, object };

/// One value of a document, and its name where it is a member of an object. Plain data: a copy shares texts and children, which belong to
/// the document. The children of an object are sorted by name, and no name is there twice.
struct Node {
    std::string_view name;
    union {
        std::uint64_t whole = 0;
        std::int64_t signed_whole;
        double real;
        bool boolean;
        const char *text;
        const Node *children;
    };
    std::size_t size : 56 = 0; ///< bytes of a text, children of an array or object
    NodeType type : 8 = NodeType::null;

    static Node of_text(std::string_view value) {
        Node node;
        node.text = value.data();
        node.size = value.size();
        node.type = NodeType::text;
        return node;
    }

    bool is_null() const { return type == NodeType::null; }
    bool is_text() const { return type == NodeType::text; }
    bool is_object() const { return type == NodeType::object; }
    bool is_array() const { return type == NodeType::array; }
    bool is_number() const { return type == NodeType::whole || type == NodeType::signed_whole || type == NodeType::real; }

    std::string_view as_text() const { return {text, size}; } ///< of a text only
    double as_double() const {                                ///< of a number only
        return type == NodeType::real ? real : type == NodeType::whole ? static_cast<double>(whole) : static_cast<double>(signed_whole);
    }

    const Node *begin() const { return children; } ///< of an array or object only
    const Node *end() const { return children + size; }
};

/// The member of that name of an object, or null.
const Node *find_member(const Node &object, std::string_view name);

/// The value that a JSON pointer leads to, or null. Allocates only for escaped tokens.
const Node *find_value(const Node &root, std::string_view pointer);

/// Appends a value as compact JSON text.
void append_json(std::string &out, const Node &node);

} // namespace weir::event
