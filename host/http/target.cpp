// SPDX-License-Identifier: Apache-2.0
#include "http/target.hpp"

#include "http/utf8.hpp"

#include <algorithm>
#include <utility>

namespace weir::http {

namespace {

constexpr std::size_t kParametersMax = 100;

int hex_of(char character) noexcept {
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    if (character >= 'A' && character <= 'F') {
        return character - 'A' + 10;
    }
    return -1;
}

bool decode(std::string_view text, bool plus_is_space, std::string &out) {
    out.clear();
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '%') {
            const bool whole = at + 2 < text.size();
            const int high = whole ? hex_of(text[at + 1]) : -1;
            const int low = whole ? hex_of(text[at + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            out += static_cast<char>(high * 16 + low);
            at += 2;
        } else {
            out += plus_is_space && text[at] == '+' ? ' ' : text[at];
        }
    }
    return true;
}

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

bool has_control(std::string_view text) noexcept {
    return std::any_of(text.begin(), text.end(), [](char character) {
        const auto byte = static_cast<unsigned char>(character);
        return byte < 0x20 || byte == 0x7F;
    });
}

/// A NUL ends a text for many who read it.
bool is_text(std::string_view text) noexcept { return text.find('\0') == std::string_view::npos && is_utf8(text); }

/// Why a segment is refused; null where it is fine.
const char *fault_of(std::string_view segment) noexcept {
    if (segment == "." || segment == "..") {
        return "The path holds a dot segment: write the path that is meant";
    }
    if (segment.find_first_of("/\\") != std::string_view::npos) {
        return "A segment of the path holds an encoded slash or a backslash, which is not taken";
    }
    if (has_control(segment)) {
        return "The path holds a control character or NUL";
    }
    if (!is_utf8(segment)) {
        return "The path is not UTF-8";
    }
    return nullptr;
}

void parse_path(std::string_view text, Target &out) {
    text.remove_prefix(1);
    out.path = "/";
    std::string segment;
    while (!text.empty() || out.path.size() > 1) {
        const std::size_t slash = std::min(text.find('/'), text.size());
        if (!decode(text.substr(0, slash), false, segment)) {
            out.problem = "The path holds a broken escape: '%' needs two hexadecimal digits";
            return;
        }
        if (const char *fault = fault_of(segment)) {
            out.problem = fault;
            return;
        }
        out.path += segment;
        out.segments.push_back(segment);
        if (slash == text.size()) {
            return;
        }
        out.path += '/';
        text.remove_prefix(slash + 1);
    }
}

} // namespace

bool parse_query(std::string_view query, std::vector<Parameter> &out) {
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (pair.empty()) {
            continue;
        }
        const std::size_t equals = std::min(pair.find('='), pair.size());
        Parameter parameter;
        if (out.size() == kParametersMax || !decode(pair.substr(0, equals), true, parameter.name) ||
            !decode(pair.substr(std::min(equals + 1, pair.size())), true, parameter.value)) {
            return false;
        }
        if (!is_text(parameter.name) || !is_text(parameter.value)) {
            return false;
        }
        out.push_back(std::move(parameter));
    }
    return true;
}

Target parse_target(std::string_view text) {
    Target out;
    const bool printable = std::all_of(text.begin(), text.end(), [](char character) { return character > 0x20 && character < 0x7F; });
    if (text.empty() || !printable || text.find('#') != std::string_view::npos) {
        out.problem = "The target holds a space, a control character, a byte beyond ASCII, or a fragment: escape them";
        return out;
    }
    if (text == "*") {
        out.asterisk = true;
        out.path = "*";
        return out;
    }
    if (text.front() != '/') { // absolute form, as for proxies
        const std::size_t scheme = text.find("://");
        if (scheme == std::string_view::npos || (text.substr(0, scheme) != "http" && text.substr(0, scheme) != "https")) {
            out.problem = "The target is not a path: it begins with neither '/' nor http://";
            return out;
        }
        text.remove_prefix(scheme + 3);
        const std::size_t end = std::min(text.find_first_of("/?"), text.size());
        out.authority = text.substr(0, end);
        text.remove_prefix(end);
        if (out.authority.empty()) {
            out.problem = "The target names no host";
            return out;
        }
    }
    const std::size_t question = std::min(text.find('?'), text.size());
    const std::string_view path = text.substr(0, question);
    if (question < text.size()) {
        out.query = text.substr(question + 1);
    }
    parse_path(path.empty() ? "/" : path, out);
    if (out.problem.empty() && !parse_query(out.query, out.parameters)) {
        out.problem =
            "The query holds a broken escape, NUL, bytes that are no UTF-8, or more than " + std::to_string(kParametersMax) + " parameters";
    }
    return out;
}

} // namespace weir::http
