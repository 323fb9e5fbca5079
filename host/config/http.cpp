// SPDX-License-Identifier: Apache-2.0
#include "http.hpp"

#include "files.hpp"
#include "text.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace weir::config {

namespace {

constexpr std::size_t kSecretLeast = 16;
constexpr std::size_t kSecretMost = 1000;
constexpr std::uint64_t kBodyMemoryBytes = 64u << 20;

struct Number {
    std::string_view name;
    std::uint64_t HttpConfig::*member;
};
constexpr std::array<Number, 19> kNumbers{{
    {"max_body_bytes", &HttpConfig::max_body_bytes},
    {"max_header_bytes", &HttpConfig::max_header_bytes},
    {"max_connections", &HttpConfig::max_connections},
    {"max_connections_per_address", &HttpConfig::max_connections_per_address},
    {"max_body_memory_bytes", &HttpConfig::max_body_memory_bytes},
    {"operations.reserve_connections", &HttpConfig::reserve_connections},
    {"max_requests_per_connection", &HttpConfig::max_requests_per_connection},
    {"max_event_streams", &HttpConfig::max_event_streams},
    {"max_event_streams_per_address", &HttpConfig::max_event_streams_per_address},
    {"max_queue", &HttpConfig::max_queue},
    {"header_timeout_ms", &HttpConfig::header_timeout_ms},
    {"body_timeout_ms", &HttpConfig::body_timeout_ms},
    {"idle_timeout_ms", &HttpConfig::idle_timeout_ms},
    {"write_timeout_ms", &HttpConfig::write_timeout_ms},
    {"handler_timeout_ms", &HttpConfig::handler_timeout_ms},
    {"io_threads", &HttpConfig::io_threads},
    {"workers", &HttpConfig::workers},
    {"operations.stalled_after_ms", &HttpConfig::stalled_after_ms},
    {"stop_timeout_ms", &HttpConfig::stop_timeout_ms},
}};

void assign(std::string_view name, Value &&value, HttpConfig &http) {
    const auto number = std::find_if(kNumbers.begin(), kNumbers.end(), [&](const Number &one) { return one.name == name; });
    if (number != kNumbers.end()) {
        http.*number->member = static_cast<std::uint64_t>(value.integer);
    } else if (name == "listen") {
        http.listen = value.text == "off" ? "" : value.text;
    } else if (name == "host_names") {
        http.host_names = std::move(value.list);
    } else if (name == "cors.origins") {
        http.cors_origins = std::move(value.list);
    } else if (name == "operations.listen") {
        http.operations_listen = value.text == "off" ? "" : value.text;
    } else if (name == "operations.token") {
        http.operations_token = value.text;
    } else if (name == "operations.token_file") {
        http.operations_token_file = value.text;
    } else if (name == "operations.trust_local") {
        http.operations_trust_local = value.boolean;
    }
}

/// What isn't set and depends on what may be.
void set_what_follows(const Leaves &leaves, Load &load, HttpConfig &http) {
    if (!leaves.contains("http.max_connections_per_address")) {
        http.max_connections_per_address = std::max<std::uint64_t>(http.max_connections / 2, 1);
    }
    if (!leaves.contains("http.max_event_streams_per_address")) {
        http.max_event_streams_per_address = std::max<std::uint64_t>(http.max_event_streams / 2, 1);
    }
    const auto memory = leaves.find("http.max_body_memory_bytes");
    if (memory == leaves.end()) {
        http.max_body_memory_bytes = std::max(kBodyMemoryBytes, http.max_body_bytes);
    } else if (http.max_body_memory_bytes < http.max_body_bytes) {
        load.problems.push_back(
            {memory->second.where(), "http.max_body_memory_bytes is less than http.max_body_bytes (" + std::to_string(http.max_body_bytes) +
                                         "), so that no body of that length would ever be taken: raise the one, or lower the other"});
    }
}

void read_token_file(const Leaves &leaves, Load &load, HttpConfig &http) {
    const Leaf &leaf = leaves.at("http.operations.token_file");
    if (!http.operations_token.empty()) {
        load.problems.push_back({leaf.where(), "http.operations.token is set as well: keep one of the two"});
        return;
    }
    const FileText text = read_text(http.operations_token_file);
    if (!text.failure.empty()) {
        load.problems.push_back({leaf.where(), "the file of http.operations.token_file can't be read: " + text.failure});
        return;
    }
    std::string token = text.text;
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) {
        token.pop_back();
    }
    if (const std::string wrong = check_secret(token); !wrong.empty()) {
        load.problems.push_back({leaf.where(), "the file of http.operations.token_file holds no token: " + wrong});
        return;
    }
    http.operations_token = std::move(token);
}

} // namespace

std::string check_address(const std::string &text) {
    if (text == "off") {
        return {};
    }
    constexpr std::string_view kHow = "write HOST:PORT such as 127.0.0.1:8080 or [::]:8080, or off";
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) {
        return std::string(kHow);
    }
    const std::string_view host = std::string_view(text).substr(0, colon);
    const std::string_view port = std::string_view(text).substr(colon + 1);
    const bool bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
    if (!bracketed && host.find_first_of(":[]/ ") != std::string_view::npos) {
        return std::string(kHow);
    }
    const bool digits = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string_view::npos;
    return digits && std::stoi(std::string(port)) <= 65535 ? std::string() : "the port is a number from 0 (any that is free) to 65535";
}

std::string check_secret(const std::string &text) {
    const bool visible = std::all_of(text.begin(), text.end(), [](char character) { return character > 0x20 && character < 0x7F; });
    return visible && text.size() >= kSecretLeast && text.size() <= kSecretMost
               ? ""
               : "write " + std::to_string(kSecretLeast) + " to " + std::to_string(kSecretMost) +
                     " characters of ASCII without blanks, such as `openssl rand -hex 32` prints";
}

std::string check_origin(const std::string &text) {
    if (text.find('*') != std::string::npos) {
        return "wildcards are not taken, as each page that they fit could read answers and use a visitor's place in the network: name each "
               "origin";
    }
    const std::size_t scheme = text.find("://");
    const bool web = scheme != std::string::npos && (text.substr(0, scheme) == "http" || text.substr(0, scheme) == "https");
    const std::string host = web ? text.substr(scheme + 3) : "";
    const bool plain = !host.empty() && std::all_of(host.begin(), host.end(), [](char character) {
        return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') || character == '.' || character == '-' ||
               character == ':' || character == '[' || character == ']';
    });
    return plain ? "" : "write scheme, host and port as browsers send them, in lower case and without a path: https://app.example";
}

void read_http(const Leaves &leaves, Load &load, HttpConfig &http) {
    for (const Key &key : host_keys()) {
        constexpr std::string_view kPrefix = "http.";
        if (!key.path.starts_with(kPrefix)) {
            continue;
        }
        const auto found = leaves.find(std::string(key.path));
        if (found == leaves.end() && key.default_text.empty()) {
            load.settings.push_back({std::string(key.path), "", "default"});
            continue;
        }
        const Leaf leaf = found != leaves.end()
                              ? found->second
                              : Leaf{std::string(key.default_text), nullptr, std::string(key.path), "default", true, false};
        Value value;
        if (read(key, leaf, load, value)) {
            load.settings.push_back({std::string(key.path), display(key, leaf, value), leaf.source});
            assign(key.path.substr(kPrefix.size()), std::move(value), http);
        }
    }
    set_what_follows(leaves, load, http);
    if (!http.operations_token_file.empty()) {
        read_token_file(leaves, load, http);
    }
    if (!http.listen.empty() && http.listen == http.operations_listen && !http.listen.ends_with(":0")) {
        load.problems.push_back(
            {leaves.at("http.operations.listen").where(),
             "http.operations.listen is the address of http.listen: write another, or leave it out to have operations there too"});
    }
}

} // namespace weir::config
