// SPDX-License-Identifier: Apache-2.0
#include "engine/envelope.hpp"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace weir::engine {

namespace {

// The number after the last ".v" of an event type, which the grammar guarantees to be there.
int version_of(const std::string &event_type) { return std::atoi(event_type.c_str() + event_type.rfind(".v") + 2); }

/// Appends a text of JSON. Most need no escaping and are copied as they are.
void append_text(std::string &to, std::string_view text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; });
    if (plain) {
        to.append(1, '"').append(text).append(1, '"');
    } else {
        to += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
}

void append_member(std::string &to, std::string_view name, std::string_view text) {
    to.append(to.empty() ? "{\"" : ",\"").append(name).append("\":");
    append_text(to, text);
}

} // namespace

std::string make_envelope(const event::Uuid &event_id, const std::string &event_type, const event::Event &cause,
                          std::string_view payload_json) {
    const std::string cause_id = cause.id.text();
    std::string text;
    text.reserve(400 + payload_json.size());
    append_member(text, "event_id", event_id.text());
    append_member(text, "event_type", event_type);
    if (!cause.tenant_id.empty()) {
        append_member(text, "tenant_id", cause.tenant_id);
    }
    append_member(text, "correlation_id", cause.correlation_id.empty() ? cause_id : cause.correlation_id);
    append_member(text, "causation_id", cause_id);
    append_member(text, "occurred_at", event::format_time(cause.message->appended_at));
    text.append(",\"schema_version\":").append(std::to_string(version_of(event_type)));
    text.append(",\"payload\":").append(payload_json).append("}"); // as it is: no second parse
    return text;
}

} // namespace weir::engine
