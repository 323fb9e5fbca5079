// SPDX-License-Identifier: Apache-2.0
#include "operations/report.hpp"

#include "operations/letters.hpp"

#include "engine/dead_letter.hpp"

#include <nlohmann/json.hpp>

namespace weir::operations {

using Json = nlohmann::ordered_json;

namespace {

constexpr const char *kHealth = R"({
  "type": "object", "required": ["status", "version"], "additionalProperties": false,
  "properties": {"status": {"const": "ok"}, "version": {"type": "string"}}})";

constexpr const char *kReady = R"({
  "type": "object", "required": ["status", "domains"], "additionalProperties": false,
  "properties": {"status": {"const": "ready"}, "domains": {"type": "integer", "minimum": 0}}})";

constexpr const char *kDomain = R"({
  "type": "object", "additionalProperties": false,
  "required": ["domain", "plugin", "version", "generation", "phase", "ready", "reason", "refused", "partitions", "held", "overdue_handlers",
    "overdue_routes", "counts"],
  "properties": {
    "domain": {"type": "string"}, "plugin": {"type": "string"}, "version": {"type": "string"}, "generation": {"type": "integer"},
    "schema": {"type": "string"}, "group": {"type": "string"}, "topics": {"type": "array", "items": {"type": "string"}},
    "order": {"enum": ["ordered", "parallel"]},
    "phase": {"enum": ["starting", "standby", "serving", "waiting", "halted", "stopped"]}, "ready": {"type": "boolean"},
    "reason": {"type": "string", "description": "Why it is not ready, and what to do"},
    "refused": {"type": "string", "description": "A newer generation or change that doesn't fit, and why"},
    "partitions": {"type": "integer"},
    "held": {"type": "integer", "description": "Events that wait for a retry, or behind one"},
    "overdue_handlers": {"type": "integer"},
    "overdue_routes": {"type": "string", "description": "Requests to its routes that take too long, while it is ready all the same"},
    "counts": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0},
      "required": ["messages", "applied", "duplicates", "stale", "ignored", "dead_letters", "retries", "batches"]}}})";

constexpr const char *kDomains = R"({
  "type": "object", "required": ["ready", "domains", "refused_configuration"], "additionalProperties": false,
  "properties": {"ready": {"type": "boolean"}, "domains": {"type": "array", "items": {"$ref": "#/components/schemas/Domain"}},
    "refused_configuration": {"type": "array", "description": "What is wrong with a changed configuration; the one before goes on",
      "items": {"type": "object", "additionalProperties": false, "required": ["where", "reason"],
        "properties": {"where": {"type": "string"}, "reason": {"type": "string"}}}}}})";

constexpr const char *kPlugins = R"({
  "type": "object", "required": ["plugins", "refused"], "additionalProperties": false,
  "properties": {
    "plugins": {"type": "array", "items": {"type": "object", "additionalProperties": false,
      "required": ["plugin", "version", "generation", "file", "handlers"],
      "properties": {"plugin": {"type": "string"}, "version": {"type": "string"}, "generation": {"type": "integer"}, "summary": {"type": "string"},
        "file": {"type": "string"}, "handlers": {"type": "array", "items": {"type": "string"}}}}},
    "refused": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["file", "code", "message", "remedy"],
      "properties": {"file": {"type": "string"}, "code": {"type": "string"}, "message": {"type": "string"}, "remedy": {"type": "string"}}}}}})";

constexpr const char *kTopics = R"({
  "type": "object", "required": ["topics"], "additionalProperties": false,
  "properties": {"topics": {"type": "array", "items": {"type": "object", "additionalProperties": false,
    "required": ["topic", "broker", "partitions", "length", "groups"],
    "properties": {"topic": {"type": "string"}, "broker": {"type": "string"}, "partitions": {"type": "integer"}, "length": {"type": "integer"},
      "groups": {"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["group", "lag", "pending"],
        "properties": {"group": {"type": "string"}, "lag": {"type": "integer", "description": "Never given to the group"},
          "pending": {"type": "integer", "description": "Given, not acknowledged"}}}}}}}}})";

constexpr const char *kDeadLetter = R"({
  "type": "object", "additionalProperties": false,
  "required": ["id", "event_id", "event_type", "topic", "partition", "position", "status", "error_type", "error_message", "retry_count",
    "created_at", "updated_at"],
  "properties": {
    "id": {"type": "integer"}, "event_id": {"type": "string", "format": "uuid"}, "event_type": {"type": "string"}, "topic": {"type": "string"},
    "partition": {"type": "integer"}, "position": {"type": "string"}, "status": {"enum": ["pending", "replayed", "dropped"]},
    "error_type": {"type": "string"}, "error_message": {"type": "string"}, "retry_count": {"type": "integer"},
    "created_at": {"type": "string", "format": "date-time"}, "updated_at": {"type": "string", "format": "date-time"},
    "context": {"description": "Key, headers and time of the message"},
    "event": {"description": "The message, where it is JSON"},
    "fields": {"type": "array", "description": "The message, where it came as flat fields; those that are no text in hexadecimal",
      "items": {"type": "object", "additionalProperties": false, "properties": {"name": {"type": "string"}, "name_hex": {"type": "string"},
        "value": {"type": "string"}, "value_hex": {"type": "string"}}}},
    "raw": {"type": "string", "description": "The message as text, where it is UTF-8 but no JSON"},
    "raw_hex": {"type": "string", "description": "The message in hexadecimal, where it is no text"}}})";

constexpr const char *kDeadLetters = R"({
  "type": "object", "required": ["domain", "dead_letters", "next"], "additionalProperties": false,
  "properties": {"domain": {"type": "string"}, "dead_letters": {"type": "array", "items": {"$ref": "#/components/schemas/DeadLetter"}},
    "next": {"type": ["string", "null"], "description": "The rest of the list"}}})";

constexpr const char *kOutcome = R"({
  "type": "object", "required": ["domain", "id", "event_id", "event_type", "outcome", "status"], "additionalProperties": false,
  "properties": {"domain": {"type": "string"}, "id": {"type": "integer"}, "event_id": {"type": "string", "format": "uuid"},
    "event_type": {"type": "string"}, "outcome": {"enum": ["replayed", "would_apply", "failed", "dropped", "would_drop"]},
    "status": {"enum": ["pending", "replayed", "dropped"], "description": "What the dead letter is now"},
    "decided": {"enum": ["applied", "stale", "ignored"],
      "description": "What a replay came to; stale: a guard turned a change away, because the row is from a later event"},
    "error_type": {"type": "string", "description": "Why it is, or would be, dead again"}, "error_message": {"type": "string"},
    "retry_count": {"type": "integer"}}})";

bool is_text(const std::string &bytes) {
    try {
        (void)Json(bytes).dump();
        return true;
    } catch (const Json::exception &) {
        return false;
    }
}

std::string hex_of(const std::string &bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        out += kDigits[static_cast<unsigned char>(byte) >> 4];
        out += kDigits[static_cast<unsigned char>(byte) & 15];
    }
    return out;
}

void add_bytes(Json &object, const std::string &name, const std::string &bytes) {
    const bool text = is_text(bytes);
    object[text ? name : name + "_hex"] = text ? bytes : hex_of(bytes);
}

} // namespace

Json domain_json(const engine::DomainStatus &status, const engine::DomainSpec *spec) {
    const engine::Counts &counts = status.counts;
    Json json{{"domain", status.name}, {"plugin", status.plugin}, {"version", status.plugin_version}, {"generation", status.generation}};
    if (spec != nullptr) {
        json["schema"] = spec->schema;
        json["group"] = spec->group;
        json["topics"] = spec->topics;
        json["order"] = spec->parallel ? "parallel" : "ordered";
    }
    json["phase"] = engine::phase_name(status.phase);
    json["ready"] = status.ready;
    json["reason"] = status.reason;
    json["refused"] = status.refused;
    json["partitions"] = status.partitions;
    json["held"] = status.held;
    json["overdue_handlers"] = status.overdue;
    json["overdue_routes"] = status.overdue_routes;
    json["counts"] = {{"messages", counts.messages}, {"applied", counts.applied}, {"duplicates", counts.duplicates},
                      {"stale", counts.stale},       {"ignored", counts.ignored}, {"dead_letters", counts.dead_letters},
                      {"retries", counts.retries},   {"batches", counts.batches}};
    return json;
}

Json plugin_json(const PluginState &plugin) {
    if (!plugin.refusal_code.empty()) {
        return {{"file", plugin.file}, {"code", plugin.refusal_code}, {"message", plugin.refusal_message}, {"remedy", plugin.remedy}};
    }
    return {{"plugin", plugin.name},     {"version", plugin.version}, {"generation", plugin.generation},
            {"summary", plugin.summary}, {"file", plugin.file},       {"handlers", plugin.handlers}};
}

Json topic_json(const broker::TopicInfo &topic, const std::string &broker) {
    Json groups = Json::array();
    for (const broker::GroupInfo &group : topic.groups) {
        groups.push_back({{"group", group.group}, {"lag", group.backlog}, {"pending", group.pending}});
    }
    return {{"topic", topic.topic},
            {"broker", broker},
            {"partitions", topic.partitions},
            {"length", topic.length},
            {"groups", std::move(groups)}};
}

Json letter_json(const store::DeadLetter &letter) {
    return {{"id", letter.id},
            {"event_id", letter.event_id.text()},
            {"event_type", letter.event_type},
            {"topic", letter.topic},
            {"partition", letter.partition},
            {"position", letter.position},
            {"status", status_name(letter.status)},
            {"error_type", letter.error_type},
            {"error_message", letter.error_message},
            {"retry_count", letter.retry_count},
            {"created_at", event::format_time(letter.created_at)},
            {"updated_at", event::format_time(letter.updated_at)}};
}

Json whole_letter_json(const store::DeadLetter &letter) {
    Json json = letter_json(letter);
    json["context"] = Json::parse(letter.context, nullptr, false);
    if (json["context"].is_discarded()) {
        json["context"] = nullptr;
    }
    const auto message = engine::message_of(letter);
    if (!message->fields.empty()) {                         // it has no body
        for (const auto &[name, value] : message->fields) { // a name may come twice
            Json &field = json["fields"].emplace_back();
            add_bytes(field, "name", name);
            add_bytes(field, "value", value);
        }
        return json;
    }
    Json event = Json::parse(letter.event_data.value_or(letter.raw), nullptr, false);
    if (!event.is_discarded()) {
        json["event"] = std::move(event);
    } else {
        add_bytes(json, "raw", letter.raw);
    }
    return json;
}

std::string dumped(const Json &json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::map<std::string, std::string> schemas() {
    return {{"Health", kHealth}, {"Ready", kReady},           {"Domain", kDomain},           {"Domains", kDomains}, {"Plugins", kPlugins},
            {"Topics", kTopics}, {"DeadLetter", kDeadLetter}, {"DeadLetters", kDeadLetters}, {"Outcome", kOutcome}};
}

} // namespace weir::operations
