// SPDX-License-Identifier: Apache-2.0
#include "document.hpp"

#include "event/decoder.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

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
    Node *nodes = static_cast<Node *>(workshop_->take(count * sizeof(Node), alignof(Node)));
    std::uninitialized_default_construct_n(nodes, count);
    return nodes;
}

std::string_view Document::keep(std::string_view text) {
    if (text.empty()) {
        return {};
    }
    char *kept = static_cast<char *>(workshop_->take(text.size(), 1));
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

/// Copies what a root leads to side by side. Few nodes, so that a walk over all of them is short.
struct Document::Packing {
    const Workshop &from;
    std::size_t nodes = 0;
    std::size_t text_bytes = 0;
    Node *next_node = nullptr;
    char *next_text = nullptr;

    static bool has_children(const Node &node) { return node.is_object() || node.is_array(); }

    void count(const Node &node) {
        text_bytes += from.holds(node.name.data()) ? node.name.size() : 0;
        if (node.is_text()) {
            text_bytes += from.holds(node.text) ? node.size : 0;
        } else if (has_children(node)) {
            nodes += node.size;
            for (const Node &child : node) {
                count(child);
            }
        }
    }

    const char *move(const char *text, std::size_t size) {
        if (!from.holds(text)) {
            return text; // the source's, or a literal
        }
        std::memcpy(next_text, text, size);
        return std::exchange(next_text, next_text + size);
    }

    void move(Node &node) {
        node.name = {move(node.name.data(), node.name.size()), node.name.size()};
        if (node.is_text()) {
            node.text = move(node.text, node.size);
        } else if (has_children(node)) {
            Node *children = std::exchange(next_node, next_node + node.size);
            std::uninitialized_copy(node.begin(), node.end(), children);
            node.children = children;
            for (std::size_t i = 0; i < node.size; ++i) {
                move(children[i]);
            }
        }
    }
};

void Document::pack() {
    if (!workshop_ || workshop_->used > Workshop::kOwnBytes) {
        return; // part of it is elsewhere
    }
    Packing packing{*workshop_};
    packing.count(root_);
    packed_ = std::make_unique_for_overwrite<std::byte[]>(packing.nodes * sizeof(Node) + packing.text_bytes);
    packing.next_node = reinterpret_cast<Node *>(packed_.get());
    packing.next_text = reinterpret_cast<char *>(packed_.get() + packing.nodes * sizeof(Node));
    packing.move(root_);
    workshop_.reset();
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
    document->pack();
    return document;
}

} // namespace weir::event
