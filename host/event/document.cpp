// SPDX-License-Identifier: Apache-2.0
#include "document.hpp"

#include "event/decoder.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>

namespace weir::event {

using nlohmann::json;

namespace {

static_assert(sizeof(Node) == 32 && std::is_trivially_copyable_v<Node>);

/// Up to so many members, putting each in its place is quicker than a sort that takes memory.
constexpr std::size_t kFewMembers = 16;

constexpr std::uint64_t kMaxInteger = std::numeric_limits<std::int64_t>::max();

void sort_few(Node *members, std::size_t count) {
    for (std::size_t i = 1; i < count; ++i) {
        if (!(members[i].name < members[i - 1].name)) {
            continue;
        }
        const Node member = members[i];
        std::size_t place = i;
        for (; place > 0 && member.name < members[place - 1].name; --place) {
            members[place] = members[place - 1];
        }
        members[place] = member;
    }
}

} // namespace

JsonKind Document::kind(std::string_view pointer) const {
    const Node *value = find_value(root_, pointer);
    if (!value) {
        return JsonKind::absent;
    }
    switch (value->type) {
    case NodeType::null:
        return JsonKind::null;
    case NodeType::boolean:
        return JsonKind::boolean;
    case NodeType::whole:
        return value->whole <= kMaxInteger ? JsonKind::integer : JsonKind::number;
    case NodeType::signed_whole:
        return JsonKind::integer;
    case NodeType::real:
        return JsonKind::number;
    case NodeType::text:
        return JsonKind::text;
    case NodeType::array:
        return JsonKind::array;
    case NodeType::object:
        return JsonKind::object;
    }
    return JsonKind::absent;
}

std::optional<std::string_view> Document::text(std::string_view pointer) const {
    const Node *value = find_value(root_, pointer);
    if (!value || !value->is_text()) {
        return std::nullopt;
    }
    return value->as_text();
}

std::optional<std::int64_t> Document::integer(std::string_view pointer) const {
    const Node *value = find_value(root_, pointer);
    if (value && value->type == NodeType::signed_whole) {
        return value->signed_whole;
    }
    if (value && value->type == NodeType::whole && value->whole <= kMaxInteger) {
        return static_cast<std::int64_t>(value->whole);
    }
    return std::nullopt;
}

std::optional<double> Document::number(std::string_view pointer) const {
    const Node *value = find_value(root_, pointer);
    if (!value || !value->is_number()) {
        return std::nullopt;
    }
    return value->as_double();
}

std::optional<bool> Document::boolean(std::string_view pointer) const {
    const Node *value = find_value(root_, pointer);
    if (!value || value->type != NodeType::boolean) {
        return std::nullopt;
    }
    return value->boolean;
}

std::optional<std::string> Document::dump(std::string_view pointer) const {
    const Node *value = find_value(root_, pointer);
    if (!value) {
        return std::nullopt;
    }
    std::string out;
    append_json(out, *value);
    return out;
}

std::optional<std::size_t> Document::length(std::string_view pointer) const {
    const Node *value = find_value(root_, pointer);
    if (!value || !(value->is_array() || value->is_object())) {
        return std::nullopt;
    }
    return value->size;
}

Node *Document::make_nodes(std::size_t count) {
    Node *nodes = static_cast<Node *>(memory_.allocate(count * sizeof(Node), alignof(Node)));
    std::uninitialized_default_construct_n(nodes, count);
    return nodes;
}

std::string_view Document::keep(std::string_view text) {
    if (text.empty()) {
        return {};
    }
    char *kept = static_cast<char *>(memory_.allocate(text.size(), 1));
    std::memcpy(kept, text.data(), text.size());
    return {kept, text.size()};
}

Node Document::make_object(Node *members, std::size_t count) {
    if (count <= kFewMembers) {
        sort_few(members, count);
    } else {
        std::stable_sort(members, members + count, [](const Node &a, const Node &b) { return a.name < b.name; });
    }
    Node object;
    object.type = NodeType::object;
    object.children = members;
    for (std::size_t i = 0; i < count; ++i) {
        if (i + 1 == count || members[i].name != members[i + 1].name) {
            if (object.size != i) {
                members[object.size] = members[i];
            }
            object.size = object.size + 1;
        }
    }
    return object;
}

json make_tree(const Node &node) {
    switch (node.type) {
    case NodeType::null:
        break;
    case NodeType::boolean:
        return node.boolean;
    case NodeType::whole:
        return node.whole;
    case NodeType::signed_whole:
        return node.signed_whole;
    case NodeType::real:
        return node.real;
    case NodeType::text:
        return std::string(node.as_text());
    case NodeType::array: {
        json array = json::array();
        for (const Node &element : node) {
            array.push_back(make_tree(element));
        }
        return array;
    }
    case NodeType::object: {
        json object = json::object();
        auto &members = object.get_ref<json::object_t &>();
        for (const Node &member : node) {
            members.emplace_hint(members.end(), member.name, make_tree(member));
        }
        return object;
    }
    }
    return nullptr;
}

std::shared_ptr<const Json> parse_json(std::string_view text, std::size_t max_depth, std::string &reason) {
    auto source = std::make_shared<const std::string>(text);
    auto document = std::make_shared<Document>(source);
    Node root;
    if (auto refusal = parse_into(*document, *source, max_depth, root)) {
        reason = std::move(refusal->message);
        return nullptr;
    }
    document->set_root(root);
    return document;
}

} // namespace weir::event
