// SPDX-License-Identifier: Apache-2.0
#include "broker/embedded/embedded_broker.hpp"
#include "log.hpp"

#include <charconv>

namespace weir::broker {

namespace {
std::optional<std::string> unescape(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            out += text[at];
            continue;
        }
        unsigned value = 0;
        const auto digits = text.substr(at + 1, 2);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (error != std::errc() || end != digits.data() + 2) {
            return std::nullopt;
        }
        out += static_cast<char>(value);
        at += 2;
    }
    return out;
}

std::optional<std::string> set_number(std::string_view key, std::string_view text, std::uint64_t least, std::uint64_t most,
                                      std::uint64_t &out) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
        return std::string(key) + " must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) + ", not '" +
               std::string(text) + "'";
    }
    out = value;
    return std::nullopt;
}

std::optional<std::string> set_option(std::string_view key, std::string_view value, EmbeddedOptions &options) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 53;
    std::uint64_t number = 0;
    std::optional<std::string> problem;
    if (key == "synchronous") {
        if (value != "full" && value != "normal") {
            return "synchronous must be full or normal, not '" + std::string(value) + "'";
        }
        options.synchronous = value == "full" ? Synchronous::full : Synchronous::normal;
    } else if (key == "busy_timeout_ms") {
        problem = set_number(key, value, 1, 3600000, number);
        options.busy_timeout = std::chrono::milliseconds(number);
    } else if (key == "partitions") {
        problem = set_number(key, value, 1, embedded::kMaxPartitions, number);
        options.new_topics.partitions = static_cast<std::uint32_t>(number);
    } else if (key == "max_age_s") {
        problem = set_number(key, value, 0, 3153600000, number);
        options.new_topics.max_age = std::chrono::seconds(number);
    } else if (key == "max_messages") {
        problem = set_number(key, value, 0, kMost, number);
        options.new_topics.max_messages = number;
    } else if (key == "max_bytes") {
        problem = set_number(key, value, 0, kMost, number);
        options.new_topics.max_bytes = number;
    } else {
        problem = "there is no option '" + std::string(key) +
                  "'; known are synchronous, busy_timeout_ms, partitions, max_age_s, max_messages, max_bytes";
    }
    return problem;
}
} // namespace

std::optional<std::string> parse_embedded_url(std::string_view url, EmbeddedOptions &out) {
    constexpr std::string_view kScheme = "embedded://";
    const std::string quoted = "'" + std::string(url) + "': ";
    if (url.substr(0, kScheme.size()) != kScheme) {
        return quoted + "an embedded broker's url is embedded://FILE";
    }
    url.remove_prefix(kScheme.size());
    const auto question = url.find('?');
    const auto file = unescape(url.substr(0, question));
    if (!file) {
        return quoted + "'%' in the file's name must be followed by two hexadecimal digits (%25 is '%' itself)";
    }
    if (file->empty() || file->back() == '/') {
        return quoted + "the name of the file is missing; write embedded://FILE, such as embedded:///var/lib/weir/broker.db";
    }
    if (file->find('"') != std::string::npos || file->find('\0') != std::string::npos) {
        return quoted + "the file's name can't hold a double quote or NUL";
    }
    EmbeddedOptions options;
    options.file = *file;
    std::string_view rest = question == std::string_view::npos ? std::string_view() : url.substr(question + 1);
    while (!rest.empty()) {
        const auto end = std::min(rest.find('&'), rest.size());
        const auto pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const auto equals = pair.find('=');
        const auto value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        if (auto problem = set_option(pair.substr(0, equals), value, options)) {
            return quoted + *problem;
        }
    }
    out = options;
    return std::nullopt;
}

} // namespace weir::broker
