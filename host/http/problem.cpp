// SPDX-License-Identifier: Apache-2.0
#include "http/problem.hpp"

#include "http/utf8.hpp"

#include <utility>

namespace weir::http {

std::string json_string(std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
    std::string out = "\"";
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += text[at++];
        } else if (byte < 0x20) {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
            ++at;
        } else if (byte < 0x80) {
            out += text[at++];
        } else if (const std::size_t length = utf8_length(text.substr(at)); length > 0) {
            out += text.substr(at, length);
            at += length;
        } else {
            out += kReplacement;
            ++at;
        }
    }
    out += '"';
    return out;
}

Response Problem::response() const {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/problem+json");
    response.headers.add("Cache-Control", "no-store");
    if (retry_after) {
        response.headers.add("Retry-After", std::to_string(retry_after->count()));
    }
    response.body = "{\"type\":" + json_string(type) +
                    ",\"title\":" + json_string(title.empty() ? reason_of(status) : std::string_view(title)) +
                    ",\"status\":" + std::to_string(status) + ",\"detail\":" + json_string(detail);
    if (!instance.empty()) {
        response.body += ",\"instance\":" + json_string(instance);
    }
    for (const auto &[name, value] : members) {
        response.body += "," + json_string(name) + ":" + value;
    }
    response.body += "}";
    response.wants_instance = instance.empty();
    return response;
}

Response problem(int status, std::string detail, std::string type) {
    Problem details;
    details.status = status;
    details.detail = std::move(detail);
    details.type = std::move(type);
    return details.response();
}

} // namespace weir::http
