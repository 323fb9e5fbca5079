// SPDX-License-Identifier: Apache-2.0
#include "engine/dead_letter.hpp"

#include <nlohmann/json.hpp>

namespace weir::engine {

namespace {

using Json = nlohmann::json;

// Headers and fields may hold any bytes; those that are no text are kept as arrays of numbers.
Json pairs(const std::vector<event::Header> &headers) {
    Json result = Json::array();
    for (const auto &[name, value] : headers) {
        const auto portable = [](const std::string &text) -> Json {
            store::Value checked = text;
            if (!store::canonicalise({"", store::Type::text, false, 0, 0, store::Default::none, {}}, checked)) {
                return text;
            }
            return std::vector<int>(reinterpret_cast<const unsigned char *>(text.data()),
                                    reinterpret_cast<const unsigned char *>(text.data()) + text.size());
        };
        result.push_back({portable(name), portable(value)});
    }
    return result;
}

std::string text_from(const Json &value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    std::string bytes;
    for (const Json &byte : value) {
        bytes += static_cast<char>(byte.get<int>());
    }
    return bytes;
}

std::vector<event::Header> pairs_from(const Json &array) {
    std::vector<event::Header> result;
    for (const Json &pair : array) {
        result.emplace_back(text_from(pair.at(0)), text_from(pair.at(1)));
    }
    return result;
}

std::string only_text(std::string text) {
    store::Value checked = std::move(text);
    if (store::canonicalise({"", store::Type::text, false, 0, 0, store::Default::none, {}}, checked)) {
        return "(not text)";
    }
    return std::get<std::string>(checked);
}

} // namespace

store::DeadLetter make_dead_letter(const event::Event &event, const event::Refusal &refusal, std::uint32_t retries) {
    const event::Message &message = *event.message;
    store::DeadLetter letter;
    letter.event_id = event.id;
    letter.topic = message.topic;
    letter.partition = message.partition;
    letter.position = event::format_position(message.position, message.two_part_position);
    letter.event_type = only_text(event.type);
    letter.raw = message.body;
    store::Value data = message.body;
    if (!message.body.empty() && !store::canonicalise({"event_data", store::Type::json, false, 0, 0, store::Default::none, {}}, data)) {
        letter.event_data = std::get<std::string>(std::move(data));
    }
    letter.error_type = only_text(refusal.type);
    letter.error_message = only_text(refusal.message);
    letter.retry_count = retries;
    letter.created_at = letter.updated_at = event::now();
    Json context{{"appended_at", message.appended_at},
                 {"incarnation", message.incarnation},
                 {"high", message.position.high},
                 {"low", message.position.low},
                 {"two_part", message.two_part_position}};
    context["key"] = pairs({{"key", message.key}})[0][1];
    context["headers"] = pairs(message.headers);
    context["fields"] = pairs(message.fields);
    if (!message.body_field.empty()) {
        context["body_field"] = message.body_field;
    }
    if (message.lost) {
        context["lost"] = {{"type", message.lost->type}, {"message", message.lost->message}};
    }
    letter.context = context.dump();
    return letter;
}

std::shared_ptr<const event::Message> message_of(const store::DeadLetter &letter) {
    auto message = std::make_shared<event::Message>();
    message->topic = letter.topic;
    message->partition = letter.partition;
    message->body = letter.raw;
    const Json context = Json::parse(letter.context, nullptr, false);
    if (context.is_object()) {
        message->appended_at = context.value("appended_at", event::Micros{0});
        message->incarnation = context.value("incarnation", std::string());
        message->position = {context.value("high", std::uint64_t{0}), context.value("low", std::uint64_t{0})};
        message->two_part_position = context.value("two_part", false);
        message->key = text_from(context.value("key", Json("")));
        message->headers = pairs_from(context.value("headers", Json::array()));
        message->fields = pairs_from(context.value("fields", Json::array()));
        message->body_field = context.value("body_field", std::string());
        if (const auto lost = context.find("lost"); lost != context.end() && lost->is_object()) {
            message->lost = std::make_shared<const event::Refusal>(
                event::Refusal{lost->value("type", std::string()), lost->value("message", std::string())});
        }
    }
    return message;
}

} // namespace weir::engine
