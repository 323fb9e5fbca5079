// SPDX-License-Identifier: Apache-2.0
#include "content.hpp"

#include "document.hpp"

#include <algorithm>
#include <array>

namespace weir::event {

using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 4> kWholeFields{"event", "data", "payload", "body"};

bool is_whole_field(std::string_view name) { return std::find(kWholeFields.begin(), kWholeFields.end(), name) != kWholeFields.end(); }

bool begins_like_json(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

/// Names and values that are bytes on the broker, and must be text here.
std::optional<Refusal> read_flat_fields(const std::vector<Header> &fields, Content &out) {
    out.flat = true;
    out.root = json::object();
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto &[name, value] = fields[i];
        if (find_invalid_utf8(name) || find_invalid_utf8(value)) {
            return Refusal{"invalid_utf8", "Field " + std::to_string(i + 1) + " of the message is not UTF-8."};
        }
        out.root[name] = value;
    }
    return std::nullopt;
}

/// Producers that lay an envelope out as flat fields send its payload as JSON text.
std::optional<Refusal> read_flat_payload(const DecodeLimits &limits, json &root) {
    const auto payload = root.find("payload");
    if (payload == root.end() || (!root.contains("event_id") && !root.contains("event_type"))) {
        return std::nullopt;
    }
    const std::string text = payload->get<std::string>();
    if (!begins_like_json(text)) {
        return std::nullopt;
    }
    json parsed;
    if (auto refusal = parse_document(text, limits.max_depth, parsed)) {
        refusal->message = "/payload: " + refusal->message;
        return refusal;
    }
    *payload = std::move(parsed);
    return std::nullopt;
}

} // namespace

std::optional<Refusal> read_content(const Message &message, const DecodeLimits &limits, bool envelope_required, Content &out) {
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
            return parse_document(message.body, limits.max_depth, out.root);
        }
        return read_flat_fields({{message.body_field, message.body}}, out);
    }
    if (message.fields.size() == 1) {
        const auto &[name, value] = message.fields.front();
        if (is_whole_field(name) && (envelope_required || begins_like_json(value))) {
            return parse_document(value, limits.max_depth, out.root);
        }
    }
    if (auto refusal = read_flat_fields(message.fields, out)) {
        return refusal;
    }
    return read_flat_payload(limits, out.root);
}

} // namespace weir::event
