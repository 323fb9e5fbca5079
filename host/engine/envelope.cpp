// SPDX-License-Identifier: Apache-2.0
#include "engine/envelope.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace weir::engine {

namespace {

// The number after the last ".v" of an event type, which the grammar guarantees to be there.
int version_of(const std::string &event_type) { return std::atoi(event_type.c_str() + event_type.rfind(".v") + 2); }

} // namespace

std::string make_envelope(const event::Uuid &event_id, const std::string &event_type, const event::Event &cause,
                          std::string_view payload_json) {
    nlohmann::ordered_json members;
    members["event_id"] = event_id.text();
    members["event_type"] = event_type;
    if (!cause.tenant_id.empty()) {
        members["tenant_id"] = cause.tenant_id;
    }
    members["correlation_id"] = cause.correlation_id.empty() ? cause.id.text() : cause.correlation_id;
    members["causation_id"] = cause.id.text();
    members["occurred_at"] = event::format_time(cause.message->appended_at);
    members["schema_version"] = version_of(event_type);
    std::string text = members.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    text.back() = ','; // the payload goes in as it is: no second parse
    text.append("\"payload\":").append(payload_json).append("}");
    return text;
}

} // namespace weir::engine
