// SPDX-License-Identifier: Apache-2.0
#include "formats.hpp"

#include "event/time.hpp"
#include "event/uuid.hpp"

namespace weir::event {

namespace {

constexpr std::size_t kMaxEmailBytes = 320;
constexpr std::size_t kMaxTimeBytes = 64;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool is_quoted_local(std::string_view local) {
    if (local.size() < 3 || local.front() != '"' || local.back() != '"') {
        return false;
    }
    const std::string_view inner = local.substr(1, local.size() - 2);
    for (std::size_t i = 0; i < inner.size(); ++i) {
        if (is_control(inner[i]) || inner[i] == '"') {
            return false;
        }
        if (inner[i] == '\\' && (++i == inner.size() || is_control(inner[i]))) {
            return false;
        }
    }
    return true;
}

bool is_plain_local(std::string_view local) {
    char before = '.';
    for (const char c : local) {
        if (is_control(c) || std::string_view(" ()<>[]:;,@\\\"").find(c) != std::string_view::npos || (c == '.' && before == '.')) {
            return false;
        }
        before = c;
    }
    return before != '.';
}

bool is_domain(std::string_view domain) {
    if (domain.size() > 2 && domain.front() == '[' && domain.back() == ']') {
        for (const char c : domain.substr(1, domain.size() - 2)) {
            if (is_control(c) || c == ' ' || c == '[' || c == ']' || c == '\\') {
                return false;
            }
        }
        return true;
    }
    char before = '.';
    for (const char c : domain) {
        const bool other_script = static_cast<unsigned char>(c) >= 0x80;
        const bool word =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || other_script;
        if (!word && (c != '.' || before == '.')) {
            return false;
        }
        before = c;
    }
    return before != '.';
}

bool is_email(std::string_view text) {
    const std::size_t at = text.rfind('@');
    if (text.size() > kMaxEmailBytes || at == std::string_view::npos) {
        return false;
    }
    const std::string_view local = text.substr(0, at);
    return (is_quoted_local(local) || is_plain_local(local)) && is_domain(text.substr(at + 1));
}

} // namespace

std::optional<Format> parse_format(std::string_view name) noexcept {
    if (name == "uuid") {
        return Format::uuid;
    }
    if (name == "date-time") {
        return Format::date_time;
    }
    if (name == "email") {
        return Format::email;
    }
    return std::nullopt;
}

bool has_format(Format format, std::string_view text) noexcept {
    switch (format) {
    case Format::uuid:
        return Uuid::parse(text).has_value();
    case Format::date_time:
        return text.size() <= kMaxTimeBytes && parse_time(text).has_value();
    case Format::email:
        return is_email(text);
    }
    return false;
}

std::string_view describe_format(Format format) noexcept {
    switch (format) {
    case Format::uuid:
        return "a UUID";
    case Format::date_time:
        return "an RFC 3339 time with a zone";
    case Format::email:
        return "an e-mail address";
    }
    return "";
}

} // namespace weir::event
