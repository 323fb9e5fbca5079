// SPDX-License-Identifier: Apache-2.0
#include "plain_document.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace weir::event {

using nlohmann::json;

namespace {

/// Characters that a string may hold without its end, an escape, a control character or another script's being met.
constexpr std::array<bool, 256> kPlain = [] {
    std::array<bool, 256> plain{};
    for (unsigned c = 0x20; c < 0x7F; ++c) {
        plain[c] = c != '"' && c != '\\';
    }
    return plain;
}();

constexpr std::size_t kMaxDigits = 18; // fit 64 bits, whatever they are

class PlainParser {
public:
    PlainParser(std::string_view text, std::size_t max_depth) : at_(text.data()), end_(text.data() + text.size()), max_depth_(max_depth) {}

    bool parse(json &out) {
        if (!value(out, 0)) {
            return false;
        }
        skip_space();
        return at_ == end_;
    }

private:
    void skip_space() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) {
            ++at_;
        }
    }
    /// Takes a character, with the space before it.
    bool take(char c) {
        skip_space();
        if (at_ == end_ || *at_ != c) {
            return false;
        }
        ++at_;
        return true;
    }
    bool take_word(std::string_view word) {
        if (static_cast<std::size_t>(end_ - at_) < word.size() || std::string_view(at_, word.size()) != word) {
            return false;
        }
        at_ += word.size();
        return true;
    }

    bool value(json &out, std::size_t depth) {
        skip_space();
        if (at_ == end_) {
            return false;
        }
        switch (*at_) {
        case '{':
            return object(out, depth + 1);
        case '[':
            return array(out, depth + 1);
        case '"': {
            std::string_view text;
            if (!string(text)) {
                return false;
            }
            out = std::string(text);
            return true;
        }
        case 't':
            out = true;
            return take_word("true");
        case 'f':
            out = false;
            return take_word("false");
        case 'n':
            return take_word("null"); // which `out` is
        default:
            return number(out);
        }
    }

    bool object(json &out, std::size_t depth) {
        if (depth > max_depth_) {
            return false;
        }
        ++at_;
        out = json::object();
        if (take('}')) {
            return true;
        }
        auto &members = out.get_ref<json::object_t &>();
        do {
            skip_space();
            std::string_view name;
            if (!string(name) || !take(':')) {
                return false;
            }
            const std::size_t before = members.size();
            const auto member = members.try_emplace(members.end(), std::string(name));
            if (members.size() == before || !value(member->second, depth)) {
                return false;
            }
        } while (take(','));
        return take('}');
    }

    bool array(json &out, std::size_t depth) {
        if (depth > max_depth_) {
            return false;
        }
        ++at_;
        out = json::array();
        if (take(']')) {
            return true;
        }
        auto &elements = out.get_ref<json::array_t &>();
        do {
            elements.emplace_back();
            if (!value(elements.back(), depth)) {
                return false;
            }
        } while (take(','));
        return take(']');
    }

    bool string(std::string_view &out) {
        if (at_ == end_ || *at_ != '"') {
            return false;
        }
        const char *const begin = ++at_;
        while (at_ != end_ && kPlain[static_cast<unsigned char>(*at_)]) {
            ++at_;
        }
        if (at_ == end_ || *at_ != '"') {
            return false;
        }
        out = {begin, static_cast<std::size_t>(at_ - begin)};
        ++at_;
        return true;
    }

    bool number(json &out) {
        const bool negative = *at_ == '-';
        at_ += negative ? 1 : 0;
        const char *const begin = at_;
        std::uint64_t number = 0;
        while (at_ != end_ && *at_ >= '0' && *at_ <= '9') {
            number = number * 10 + static_cast<std::uint64_t>(*at_ - '0'); // may wrap where it is too long, and is not used then
            ++at_;
        }
        const auto digits = static_cast<std::size_t>(at_ - begin);
        const bool fraction = at_ != end_ && (*at_ == '.' || *at_ == 'e' || *at_ == 'E');
        if (digits == 0 || digits > kMaxDigits || fraction || (*begin == '0' && (digits > 1 || negative))) {
            return false;
        }
        if (negative) {
            out = -static_cast<std::int64_t>(number);
        } else {
            out = number;
        }
        return true;
    }

    const char *at_;
    const char *const end_;
    const std::size_t max_depth_;
};

} // namespace

bool parse_plain_document(std::string_view text, std::size_t max_depth, json &out) {
    out = nullptr;
    return PlainParser(text, max_depth).parse(out);
}

} // namespace weir::event
