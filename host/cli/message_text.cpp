// SPDX-License-Identifier: Apache-2.0
#include "message_text.hpp"

namespace weir::cli {

namespace {

bool is_utf8(const std::string &text) {
    try {
        (void)nlohmann::json(text).dump();
        return true;
    } catch (const nlohmann::json::type_error &) {
        return false;
    }
}

/// [RFC 4648, section 4]
std::string base64(std::string_view bytes) {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0u);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            out += i <= count ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
        }
    }
    return out;
}

} // namespace

std::string message_line(const event::Message &message) {
    std::string line = event::format_time(message.appended_at) + " " + std::to_string(message.partition) + "/" +
                       event::format_position(message.position, message.two_part_position) + " " +
                       (message.key.empty() ? "-" : printable(message.key)) + " ";
    line += printable(message.body);
    for (const auto &[name, value] : message.fields) {
        line += printable(name) + "=" + printable(value) + " ";
    }
    return line;
}

OrderedJson message_json(const event::Message &message) {
    OrderedJson object{{"topic", message.topic},
                       {"partition", message.partition},
                       {"position", event::format_position(message.position, message.two_part_position)},
                       {"appended_at", event::format_time(message.appended_at)},
                       {"key", message.key}};
    OrderedJson headers = OrderedJson::object();
    for (const auto &[name, value] : message.headers) {
        headers[name] = value;
    }
    object["headers"] = std::move(headers);
    if (message.fields.empty()) {
        add_bytes(object, "body", message.body);
        return object;
    }
    OrderedJson fields = OrderedJson::object();
    for (const auto &[name, value] : message.fields) {
        fields[name] = value;
    }
    object["fields"] = std::move(fields);
    return object;
}

void add_message(OrderedJson &object, const event::Message &message) {
    if (message.fields.empty()) {
        add_bytes(object, "raw", message.body);
    }
    for (const auto &[name, value] : message.fields) { // a name may come twice
        OrderedJson &field = object["fields"].emplace_back();
        add_bytes(field, "name", name);
        add_bytes(field, "value", value);
    }
}

void add_bytes(OrderedJson &object, const std::string &name, std::string_view bytes) {
    const std::string text(bytes);
    if (is_utf8(text)) {
        object[name] = text;
    } else {
        object[name + "_base64"] = base64(bytes);
    }
}

} // namespace weir::cli
