// SPDX-License-Identifier: Apache-2.0
/// @file
/// The test kit's own JSON reader: strict RFC 8259, UTF-8, a depth limit; integers stay exact.
#pragma once

#include "../abi.h"

#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::testkit {

/// Text that is not JSON; what() says where.
class JsonError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Whether bytes are UTF-8 without overlong forms and surrogates.
inline bool is_utf8(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t length = lead < 0x80                   ? 1
                                   : lead >= 0xC2 && lead < 0xE0 ? 2
                                   : lead >= 0xE0 && lead < 0xF0 ? 3
                                   : lead >= 0xF0 && lead < 0xF5 ? 4
                                                                 : 0;
        if (length == 0 || i + length > text.size()) {
            return false;
        }
        std::uint32_t code = length == 1 ? lead : lead & (0xFFu >> (length + 1));
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xC0) != 0x80) {
                return false;
            }
            code = (code << 6) | (next & 0x3F);
        }
        if ((length == 3 && (code < 0x800 || (code >= 0xD800 && code < 0xE000))) || (length == 4 && (code < 0x10000 || code > 0x10FFFF))) {
            return false;
        }
        i += length;
    }
    return true;
}

/// One JSON value, with its source text. A tree of plain values.
struct JsonValue {
    std::uint32_t kind = WEIR_JSON_NULL;                    ///< WEIR_JSON_*
    std::int64_t integer = 0;                               ///< of WEIR_JSON_INTEGER; 0 or 1 of WEIR_JSON_BOOL
    double number = 0;                                      ///< of WEIR_JSON_INTEGER and WEIR_JSON_NUMBER
    std::string text;                                       ///< of WEIR_JSON_TEXT, unescaped
    std::vector<std::pair<std::string, JsonValue>> members; ///< of WEIR_JSON_OBJECT; elements of WEIR_JSON_ARRAY with empty names
    std::string source;                                     ///< as it was written

    /// The last member of this name; null where there is none.
    const JsonValue *member(std::string_view name) const noexcept {
        const JsonValue *found = nullptr;
        for (const auto &[key, value] : members) {
            if (kind == WEIR_JSON_OBJECT && key == name) {
                found = &value;
            }
        }
        return found;
    }

    /// What a pointer [RFC 6901] leads to; null where it leads nowhere or is malformed.
    const JsonValue *at(std::string_view pointer) const {
        const JsonValue *here = this;
        while (here && !pointer.empty()) {
            if (pointer.front() != '/') {
                return nullptr;
            }
            const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
            here = here->step(unescape_token(pointer.substr(1, end - 1)));
            pointer.remove_prefix(end);
        }
        return here;
    }

private:
    static std::string unescape_token(std::string_view token) {
        std::string out;
        for (std::size_t i = 0; i < token.size(); ++i) {
            const bool escaped = token[i] == '~' && i + 1 < token.size();
            out += escaped ? (token[++i] == '1' ? '/' : '~') : token[i];
        }
        return out;
    }
    const JsonValue *step(const std::string &token) const noexcept {
        if (kind == WEIR_JSON_OBJECT) {
            return member(token);
        }
        std::size_t index = 0;
        const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
        const bool whole = error == std::errc() && end == token.data() + token.size() && (token.size() == 1 || token[0] != '0');
        return kind == WEIR_JSON_ARRAY && whole && index < members.size() ? &members[index].second : nullptr;
    }
};

/// Reads one JSON text. Throws JsonError.
class JsonParser {
public:
    /// Reads `text`, all of it.
    static JsonValue parse(std::string_view text, std::size_t max_depth = 64) {
        JsonParser parser(text, max_depth);
        if (!is_utf8(text)) {
            parser.fail("is not UTF-8");
        }
        JsonValue value = parser.value(0);
        parser.space();
        if (parser.at_ != text.size()) {
            parser.fail("goes on after its end");
        }
        return value;
    }

private:
    JsonParser(std::string_view text, std::size_t max_depth) : text_(text), max_depth_(max_depth) {}

    [[noreturn]] void fail(const char *what) const { throw JsonError("JSON " + std::string(what) + " at byte " + std::to_string(at_)); }
    char peek() const {
        if (at_ >= text_.size()) {
            fail("is cut off");
        }
        return text_[at_];
    }
    void space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
            ++at_;
        }
    }
    void expect(char c) {
        if (peek() != c) {
            fail("has an unexpected character");
        }
        ++at_;
    }

    JsonValue value(std::size_t depth) {
        if (depth > max_depth_) {
            fail("is nested too deeply");
        }
        space();
        const std::size_t begin = at_;
        JsonValue out;
        switch (peek()) {
        case '{':
        case '[':
            container(out, depth);
            break;
        case '"':
            out.kind = WEIR_JSON_TEXT;
            out.text = string();
            break;
        case 't':
            word("true");
            out.kind = WEIR_JSON_BOOL;
            out.integer = 1;
            break;
        case 'f':
            word("false");
            out.kind = WEIR_JSON_BOOL;
            break;
        case 'n':
            word("null");
            break;
        default:
            number(out);
        }
        out.source = std::string(text_.substr(begin, at_ - begin));
        return out;
    }

    void container(JsonValue &out, std::size_t depth) {
        const bool object = text_[at_++] == '{';
        const char close = object ? '}' : ']';
        out.kind = object ? WEIR_JSON_OBJECT : WEIR_JSON_ARRAY;
        space();
        for (bool first = true; peek() != close; first = false) {
            if (!first) {
                expect(',');
                space();
            }
            std::string name;
            if (object) {
                name = string();
                space();
                expect(':');
            }
            out.members.emplace_back(std::move(name), value(depth + 1));
            space();
        }
        ++at_;
    }

    void word(std::string_view expected) {
        if (text_.substr(at_, expected.size()) != expected) {
            fail("has an unexpected character");
        }
        at_ += expected.size();
    }

    bool digits() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
            ++at_;
        }
        return at_ > begin;
    }
    void number(JsonValue &out) {
        const std::size_t begin = at_;
        at_ += peek() == '-' ? 1 : 0;
        const bool zero = at_ < text_.size() && text_[at_] == '0';
        if (zero) {
            ++at_;
        } else if (!digits()) {
            fail("has an unexpected character");
        }
        bool whole = true;
        if (at_ < text_.size() && text_[at_] == '.') {
            whole = false;
            ++at_;
            if (!digits()) {
                fail("has a malformed number");
            }
        }
        if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
            whole = false;
            ++at_;
            at_ += at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-') ? 1 : 0;
            if (!digits()) {
                fail("has a malformed number");
            }
        }
        const char *first = text_.data() + begin;
        const char *last = text_.data() + at_;
        std::from_chars(first, last, out.number);
        whole = whole && std::from_chars(first, last, out.integer).ec == std::errc();
        out.kind = whole ? WEIR_JSON_INTEGER : WEIR_JSON_NUMBER;
    }

    std::uint32_t hexadecimal() {
        if (at_ + 4 > text_.size()) {
            fail("is cut off");
        }
        std::uint32_t code = 0;
        const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, code, 16);
        if (error != std::errc() || end != text_.data() + at_ + 4) {
            fail("has a malformed \\u escape");
        }
        at_ += 4;
        return code;
    }
    void escape(std::string &out) {
        const char c = peek();
        ++at_;
        if (c != 'u') {
            const std::size_t which = std::string_view("\"\\/bfnrt").find(c);
            if (which == std::string_view::npos) {
                fail("has an unknown escape");
            }
            out += "\"\\/\b\f\n\r\t"[which];
            return;
        }
        std::uint32_t code = hexadecimal();
        if (code >= 0xD800 && code < 0xE000) {
            if (code >= 0xDC00 || text_.substr(at_, 2) != "\\u") {
                fail("has a lone surrogate");
            }
            at_ += 2;
            const std::uint32_t low = hexadecimal();
            if (low < 0xDC00 || low >= 0xE000) {
                fail("has a lone surrogate");
            }
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        const int extra = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        constexpr unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
        out += static_cast<char>(leads[extra] | (code >> (6 * extra)));
        for (int i = extra - 1; i >= 0; --i) {
            out += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
        }
    }
    std::string string() {
        expect('"');
        std::string out;
        while (peek() != '"') {
            const char c = text_[at_++];
            if (static_cast<unsigned char>(c) < 0x20) {
                fail("has a control character in text");
            }
            if (c == '\\') {
                escape(out);
            } else {
                out += c;
            }
        }
        ++at_;
        return out;
    }

    std::string_view text_;
    std::size_t max_depth_;
    std::size_t at_ = 0;
};

} // namespace weir::testkit
