// SPDX-License-Identifier: Apache-2.0
#include "json_check.hpp"

#include "utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace weir::store {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// A scanner over one text. Every step answers null, or why the text is refused; containers are counted instead of recursed into.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    const char *run() {
        for (;;) {
            if (const char *reason = value()) {
                return reason;
            }
            if (opened_) {
                continue;
            }
            if (const char *reason = after_value()) {
                return reason;
            }
            if (done_) {
                return nullptr;
            }
        }
    }

    std::size_t position() const { return at_; }

private:
    bool end() const { return at_ == text_.size(); }
    char peek() const { return end() ? '\0' : text_[at_]; }
    bool take(char c) {
        if (peek() != c || end()) {
            return false;
        }
        ++at_;
        return true;
    }
    void skip_space() {
        while (!end() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
            ++at_;
        }
    }

    /// A scalar, an empty container, or the opening of one that isn't empty (then `opened_`, and the scanner stands before its first
    /// value).
    const char *value() {
        opened_ = false;
        skip_space();
        if (end()) {
            return "is cut off";
        }
        switch (peek()) {
        case '{':
        case '[':
            return open();
        case '"':
            return string();
        case 't':
            return word("true");
        case 'f':
            return word("false");
        case 'n':
            return word("null");
        default:
            return number();
        }
    }

    const char *open() {
        if (depth_ == kJsonDepthMax) {
            return "is nested deeper than 64";
        }
        const bool object = peek() == '{';
        ++at_;
        skip_space();
        if (take(object ? '}' : ']')) {
            return nullptr;
        }
        objects_[depth_++] = object;
        opened_ = true;
        return object ? member_name() : nullptr;
    }

    const char *member_name() {
        skip_space();
        if (peek() != '"') {
            return end() ? "is cut off" : "has a member without a name";
        }
        if (const char *reason = string()) {
            return reason;
        }
        skip_space();
        return take(':') ? nullptr : "has no colon after a member's name";
    }

    const char *after_value() {
        for (;;) {
            skip_space();
            if (depth_ == 0) {
                done_ = end();
                return done_ ? nullptr : "goes on after its value";
            }
            const bool object = objects_[depth_ - 1];
            if (take(',')) {
                return object ? member_name() : nullptr;
            }
            if (!take(object ? '}' : ']')) {
                return end() ? "is cut off" : "has neither a comma nor a closing bracket after a value";
            }
            --depth_;
        }
    }

    const char *word(std::string_view expected) {
        if (text_.substr(at_, expected.size()) != expected) {
            return "has an unknown word";
        }
        at_ += expected.size();
        return nullptr;
    }

    const char *number() {
        const std::size_t start = at_;
        take('-');
        if (!is_digit(peek())) {
            return "has something that is no value";
        }
        if (!take('0')) {
            digits();
        }
        if (take('.')) {
            if (!is_digit(peek())) {
                return "has a number without digits after its point";
            }
            digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            if (!take('-')) {
                take('+');
            }
            if (!is_digit(peek())) {
                return "has a number without digits in its exponent";
            }
            int exponent = 0;
            while (is_digit(peek())) {
                exponent = std::min(exponent * 10 + (text_[at_] - '0'), kJsonExponentMax + 1);
                ++at_;
            }
            if (exponent > kJsonExponentMax) {
                return "has a number with an exponent beyond 400";
            }
        }
        return at_ - start > kJsonNumberCharactersMax ? "has a number longer than 400 characters" : nullptr;
    }

    void digits() {
        while (is_digit(peek())) {
            ++at_;
        }
    }

    /// Bytes above ASCII were checked before; here only what JSON says of strings.
    const char *string() {
        ++at_;
        while (!end()) {
            const auto c = static_cast<unsigned char>(text_[at_]);
            if (c == '"') {
                ++at_;
                return nullptr;
            }
            if (c < 0x20) {
                return "has a control character in a string";
            }
            ++at_;
            if (c == '\\') {
                if (const char *reason = escape()) {
                    return reason;
                }
            }
        }
        return "is cut off";
    }

    const char *escape() {
        if (end()) {
            return "is cut off";
        }
        const char c = text_[at_++];
        if (c != 'u') {
            return std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos ? "has an unknown escape in a string" : nullptr;
        }
        std::uint32_t unit = 0;
        if (!hexadecimal(unit)) {
            return "has an unknown escape in a string";
        }
        if (unit == 0) {
            return "has U+0000 in a string";
        }
        if (unit < 0xD800 || unit > 0xDFFF) {
            return nullptr;
        }
        std::uint32_t low = 0;
        if (unit > 0xDBFF || !take('\\') || !take('u') || !hexadecimal(low) || low < 0xDC00 || low > 0xDFFF) {
            return "has half of a surrogate pair in a string";
        }
        return nullptr;
    }

    bool hexadecimal(std::uint32_t &unit) {
        if (text_.size() - at_ < 4) {
            return false;
        }
        unit = 0;
        for (int i = 0; i < 4; ++i) {
            const char c = text_[at_++];
            const char lower = static_cast<char>(c | 0x20);
            if (is_digit(c)) {
                unit = unit * 16 + static_cast<std::uint32_t>(c - '0');
            } else if (lower >= 'a' && lower <= 'f') {
                unit = unit * 16 + static_cast<std::uint32_t>(lower - 'a' + 10);
            } else {
                return false;
            }
        }
        return true;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::array<bool, kJsonDepthMax> objects_{}; ///< of each open container: whether it is an object
    std::size_t depth_ = 0;
    bool opened_ = false;
    bool done_ = false;
};

} // namespace

std::optional<std::string> check_json(std::string_view text) {
    bool nul = false;
    if (!is_utf8(text, nul)) {
        return "is not UTF-8";
    }
    Scanner scanner(text);
    if (const char *reason = scanner.run()) {
        return "is not JSON that the stores take: it " + std::string(reason) + " (byte " + std::to_string(scanner.position()) + ")";
    }
    return std::nullopt;
}

} // namespace weir::store
