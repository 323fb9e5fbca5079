// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "messages.hpp"

#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

namespace weir::test {

/// `usual`, or as many as WEIR_TEST_MUTATIONS says.
inline int rounds(int usual) {
    const char *given = std::getenv("WEIR_TEST_MUTATIONS");
    return given ? std::atoi(given) : usual;
}

/// Makes JSON texts: all forms of numbers and escapes, white space, objects with many members and with names that are there twice.
class RandomJson {
public:
    explicit RandomJson(std::uint64_t seed) : random_(seed) {}

    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

    template <std::size_t N> std::string_view one_of(const std::string_view (&values)[N]) { return values[below(N)]; }

    std::string text(std::size_t depth) {
        std::string out = below(20) == 0 ? "\xef\xbb\xbf" : "";
        value(out, depth);
        space(out);
        return out;
    }

    /// Changes a few bytes.
    void damage(std::string &text) {
        static constexpr std::string_view pieces[] = {
            "\"",      "{",       "}",    "[",  "]",    ",", ":",    "\\", "\\u0000",      "/*", "\\ud800", "1e9", "\\ud83d",
            "\\udE00", "\\u00e9", "null", "-0", "\xff", "1", "\xc3", ".5", "\xed\xa0\x80", "\t", " ",       "e",   "true"};
        for (std::size_t edits = 1 + below(3); edits > 0 && !text.empty(); --edits) {
            const std::size_t at = below(text.size());
            switch (below(6)) {
            case 0:
                text[at] = static_cast<char>(random_());
                break;
            case 1:
                text.erase(at, 1 + below(8));
                break;
            case 2:
            case 3:
                text.insert(at, one_of(pieces));
                break;
            case 4:
                text.insert(at, text.substr(below(text.size()), below(40)));
                break;
            default:
                text.resize(at + below(2));
                break;
            }
        }
    }

private:
    void space(std::string &out) {
        static constexpr std::string_view spaces[] = {"", "", "", "", " ", "\n", "\t\r\n "};
        out += one_of(spaces);
    }

    void string(std::string &out) {
        static constexpr std::string_view pieces[] = {"a",
                                                      "b",
                                                      "plain",
                                                      "longer than eight bytes",
                                                      "\\n",
                                                      "\\\"",
                                                      "\\\\",
                                                      "\\/",
                                                      "\\u0000",
                                                      "\\u001f",
                                                      "/",
                                                      "~",
                                                      "ü",
                                                      "\\u00fc",
                                                      "日本語",
                                                      "\\ud83d\\ude00",
                                                      "\xf0\x9f\x98\x80",
                                                      "\x7f",
                                                      "~1",
                                                      "'",
                                                      "{",
                                                      "]",
                                                      ":,",
                                                      "0",
                                                      "1",
                                                      "\\b\\f\\r\\t",
                                                      "\xc2\x80",
                                                      "\xef\xbf\xbf",
                                                      " ",
                                                      "\\uFFFF"};
        out += '"';
        for (std::size_t count = below(5); count > 0; --count) {
            out += one_of(pieces);
        }
        out += '"';
    }

    void number(std::string &out) {
        static constexpr std::string_view known[] = {"0",
                                                     "-0",
                                                     "1",
                                                     "-1",
                                                     "-0.0",
                                                     "1.0",
                                                     "0.1",
                                                     "1e5",
                                                     "1E+300",
                                                     "1e-400",
                                                     "1e400",
                                                     "9223372036854775807",
                                                     "9223372036854775808",
                                                     "-9223372036854775808",
                                                     "-9223372036854775809",
                                                     "18446744073709551615",
                                                     "18446744073709551616",
                                                     "123456789012345678901234567890",
                                                     "5e-324",
                                                     "01",
                                                     "1."};
        switch (below(3)) {
        case 0:
            out += one_of(known);
            break;
        case 1:
            out += std::to_string(static_cast<std::int64_t>(random_()) >> below(64));
            break;
        default:
            out += std::to_string(static_cast<int>(below(2000000)) - 1000000) + '.' + std::to_string(below(100000)) + 'e' +
                   std::to_string(static_cast<int>(below(60)) - 30);
            break;
        }
    }

    void value(std::string &out, std::size_t depth) {
        static constexpr std::string_view literals[] = {"null", "true", "false"};
        space(out);
        switch (depth == 0 ? below(6) : below(12)) {
        case 0:
            out += one_of(literals);
            break;
        case 1:
        case 2:
            number(out);
            break;
        case 3:
        case 4:
        case 5:
            string(out);
            break;
        case 6:
        case 7:
            container(out, '[', ']', depth);
            break;
        default:
            container(out, '{', '}', depth);
            break;
        }
        space(out);
    }

    void container(std::string &out, char open, char close, std::size_t depth) {
        out += open;
        for (std::size_t count = below(10) == 0 ? below(40) : below(6), i = 0; i < count; ++i) {
            out += i > 0 ? "," : "";
            if (open == '{') {
                space(out);
                string(out);
                space(out);
                out += ':';
            }
            value(out, count > 6 ? 0 : depth - 1);
        }
        if (below(10) == 0) {
            space(out);
        }
        out += close;
    }

    std::mt19937_64 random_;
};

} // namespace weir::test
