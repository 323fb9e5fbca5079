// SPDX-License-Identifier: Apache-2.0
#include "content.hpp"

#include <algorithm>
#include <array>

namespace weir::event {

namespace {

constexpr std::array<std::string_view, 4> kWholeFields{"event", "data", "payload", "body"};

bool is_whole_field(std::string_view name) { return std::find(kWholeFields.begin(), kWholeFields.end(), name) != kWholeFields.end(); }

bool begins_like_json(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

/// A name and a value that are bytes on the broker, and must be text here. Both live as long as the message.
std::optional<Refusal> read_field(std::string_view name, std::string_view value, std::size_t number, Node &out) {
    if (find_invalid_utf8(name) || find_invalid_utf8(value)) {
        return Refusal{"invalid_utf8", "Field " + std::to_string(number) + " of the message is not UTF-8."};
    }
    out = Node::of_text(value);
    out.name = name;
    return std::nullopt;
}

std::optional<Refusal> read_flat_fields(const std::vector<Header> &fields, Document &document, Content &out) {
    Node *members = document.make_nodes(fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (auto refusal = read_field(fields[i].first, fields[i].second, i + 1, members[i])) {
            return refusal;
        }
    }
    out.flat = true;
    out.root = document.make_object(members, fields.size());
    return std::nullopt;
}

/// Producers that lay an envelope out as flat fields send its payload as JSON text.
std::optional<Refusal> read_flat_payload(const DecodeLimits &limits, Document &document, Node &root) {
    const Node *payload = find_member(root, "payload");
    if (!payload || !(find_member(root, "event_id") || find_member(root, "event_type")) || !begins_like_json(payload->as_text())) {
        return std::nullopt;
    }
    Node parsed;
    if (auto refusal = parse_into(document, payload->as_text(), limits.max_depth, parsed)) {
        refusal->message = "/payload: " + refusal->message;
        return refusal;
    }
    parsed.name = payload->name;
    Node *members = document.make_nodes(root.size);
    std::copy(root.begin(), root.end(), members);
    members[payload - root.begin()] = parsed;
    root.children = members;
    return std::nullopt;
}

} // namespace

std::optional<Refusal> read_content(const Message &message, const DecodeLimits &limits, bool envelope_required, Document &document,
                                    Content &out) {
    if (message.lost) {
        return *message.lost;
    }
    std::size_t size = message.body.size();
    for (const auto &[name, value] : message.fields) {
        size += name.size() + value.size();
    }
    if (size > limits.max_message_bytes) {
        return Refusal{"message_too_large", "The message has " + std::to_string(size) + " bytes; at most " +
                                                std::to_string(limits.max_message_bytes) + " are taken."};
    }
    if (message.fields.empty()) {
        if (message.body_field.empty() || envelope_required || begins_like_json(message.body)) {
            return parse_into(document, message.body, limits.max_depth, out.root);
        }
        Node *member = document.make_nodes(1);
        if (auto refusal = read_field(message.body_field, message.body, 1, *member)) {
            return refusal;
        }
        out.flat = true;
        out.root = document.make_object(member, 1);
        return std::nullopt;
    }
    if (message.fields.size() == 1) {
        const auto &[name, value] = message.fields.front();
        if (is_whole_field(name) && (envelope_required || begins_like_json(value))) {
            return parse_into(document, value, limits.max_depth, out.root);
        }
    }
    if (auto refusal = read_flat_fields(message.fields, document, out)) {
        return refusal;
    }
    return read_flat_payload(limits, document, out.root);
}

} // namespace weir::event
