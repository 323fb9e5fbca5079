// SPDX-License-Identifier: Apache-2.0
#include "headers.hpp"

#include <optional>

namespace weir::broker::embedded {

namespace {
void append_quoted(std::string &out, std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

std::optional<std::string> take_quoted(std::string_view &text) {
    if (text.empty() || text.front() != '"') {
        return std::nullopt;
    }
    std::string out;
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '"') {
            text.remove_prefix(at + 1);
            return out;
        }
        if (text[at] != '\\') {
            out += text[at];
        } else if (at + 1 < text.size() && text[at + 1] != 'u') {
            out += text[++at];
        } else if (at + 5 < text.size() && hex(text[at + 4]) >= 0 && hex(text[at + 5]) >= 0) {
            out += static_cast<char>(hex(text[at + 4]) << 4 | hex(text[at + 5]));
            at += 5;
        } else {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

bool take(std::string_view &text, char expected) {
    if (text.empty() || text.front() != expected) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}
} // namespace

std::string encode_headers(const std::vector<event::Header> &headers) {
    std::string out;
    for (const auto &[name, value] : headers) {
        out += out.empty() ? "[[" : ",[";
        append_quoted(out, name);
        out += ',';
        append_quoted(out, value);
        out += ']';
    }
    if (!out.empty()) {
        out += ']';
    }
    return out;
}

std::vector<event::Header> decode_headers(std::string_view text) {
    std::vector<event::Header> out;
    if (!take(text, '[')) {
        return out;
    }
    do {
        if (!take(text, '[')) {
            break;
        }
        auto name = take_quoted(text);
        auto value = name && take(text, ',') ? take_quoted(text) : std::nullopt;
        if (!value || !take(text, ']')) {
            break;
        }
        out.emplace_back(std::move(*name), std::move(*value));
    } while (take(text, ','));
    return out;
}

} // namespace weir::broker::embedded
