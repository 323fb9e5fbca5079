// SPDX-License-Identifier: Apache-2.0
#include "document.hpp"

#include "text.hpp"

#include <algorithm>
#include <cstring>

namespace weir::config {

namespace {

constexpr std::size_t kDeepest = 64; // bounds the recursion of everything that walks the values

std::string place(const std::filesystem::path &file, std::size_t line, std::size_t column) {
    return file.string() + ":" + std::to_string(line) + ":" + std::to_string(column);
}

/// Walks the text of a file for what the parser doesn't tell: depth before it parses, the lines of keys and elements and repeated keys
/// afterwards. Needs no valid text to be safe: every step checks the end.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    std::size_t line() const { return line_; }
    std::size_t column() const { return at_ - line_begin_ + 1; }

    /// Where the nesting first exceeds the limit.
    bool too_deep() {
        std::size_t depth = 0;
        while (skip_blanks()) {
            const char c = text_[at_];
            if (c == '"') {
                string();
                continue;
            }
            if (c == '{' || c == '[') {
                if (++depth > kDeepest) {
                    return true;
                }
            } else if ((c == '}' || c == ']') && depth > 0) {
                --depth;
            }
            step();
        }
        return false;
    }

    /// Notes the line of every value; the text is known to be valid.
    void locate(Document &document, std::vector<Problem> &problems) {
        skip_blanks();
        value({}, document, problems);
    }

private:
    void step() {
        if (text_[at_] == '\n') {
            ++line_;
            line_begin_ = at_ + 1;
        }
        ++at_;
    }
    bool at_end() const { return at_ >= text_.size(); }
    bool next_is(std::string_view word) const { return text_.substr(at_, word.size()) == word; }

    /// To the next character that isn't white space or a comment; false at the end.
    bool skip_blanks() {
        while (!at_end()) {
            if (next_is("//")) {
                while (!at_end() && text_[at_] != '\n') {
                    step();
                }
            } else if (next_is("/*")) {
                while (!at_end() && !next_is("*/")) {
                    step();
                }
                for (int i = 0; i < 2 && !at_end(); ++i) {
                    step();
                }
            } else if (std::strchr(" \t\r\n,:", text_[at_]) && text_[at_] != '\0') {
                step(); // commas and colons carry nothing here: the parser has checked them
            } else {
                return true;
            }
        }
        return false;
    }

    /// Past a string; its text between the quotes.
    std::string_view string() {
        const std::size_t begin = at_ + 1;
        step();
        while (!at_end() && text_[at_] != '"') {
            if (text_[at_] == '\\') {
                step();
            }
            if (!at_end()) {
                step();
            }
        }
        const std::string_view inside = text_.substr(std::min(begin, text_.size()), at_ - std::min(begin, at_));
        if (!at_end()) {
            step();
        }
        return inside;
    }

    void value(const std::string &pointer, Document &document, std::vector<Problem> &problems) {
        if (at_end()) {
            return;
        }
        document.lines.emplace(pointer, line_);
        const char c = text_[at_];
        if (c == '{') {
            step();
            while (skip_blanks() && text_[at_] == '"') {
                const std::size_t line = line_;
                // Escapes in names are the parser's to read.
                const std::string raw = "\"" + std::string(string()) + "\"";
                const nlohmann::json name = nlohmann::json::parse(raw, nullptr, false);
                const std::string text = name.is_string() ? name.get<std::string>() : raw;
                const std::string inner = join_pointer(pointer, text);
                if (document.lines.contains(inner)) {
                    problems.push_back({document.file.string() + ":" + std::to_string(line) + " " + inner,
                                        "the key " + in_quotes(text) + " stands here a second time (first in line " +
                                            std::to_string(document.lines[inner]) + "): keep one of them"});
                }
                skip_blanks();
                value(inner, document, problems);
            }
            if (!at_end()) {
                step();
            }
        } else if (c == '[') {
            step();
            for (std::size_t index = 0; skip_blanks() && text_[at_] != ']'; ++index) {
                const std::size_t before = at_;
                value(pointer + "/" + std::to_string(index), document, problems);
                if (at_ == before) {
                    return;
                }
            }
            if (!at_end()) {
                step();
            }
        } else if (c == '"') {
            string();
        } else {
            while (!at_end() && !std::strchr(" \t\r\n,:]}/", text_[at_])) {
                step();
            }
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
    std::size_t line_begin_ = 0;
};

/// "syntax error while parsing value - invalid literal; last read: '...'" without the library's own prefix.
std::string reason(const nlohmann::json::parse_error &error) {
    std::string text = error.what();
    const std::size_t colon = text.find(": ");
    text = colon == std::string::npos ? text : text.substr(colon + 2);
    return text.size() > 200 ? text.substr(0, 200) + "..." : text;
}

} // namespace

std::string Document::where(const std::string &pointer) const {
    // A key that should be there and isn't: the nearest object around it.
    std::string known = pointer;
    while (!known.empty() && !lines.contains(known)) {
        known.resize(known.rfind('/'));
    }
    const auto line = lines.find(known);
    return file.string() + (line == lines.end() ? "" : ":" + std::to_string(line->second)) + (pointer.empty() ? "" : " " + pointer);
}

std::optional<Document> parse_document(const std::filesystem::path &file, const std::string &text, std::vector<Problem> &problems) {
    Scanner depth(text);
    if (depth.too_deep()) {
        problems.push_back(
            {place(file, depth.line(), depth.column()), "nested more than " + std::to_string(kDeepest) + " levels deep: write it flatter"});
        return std::nullopt;
    }
    Document document;
    document.file = file;
    try {
        document.root = nlohmann::json::parse(text, nullptr, true, true);
    } catch (const nlohmann::json::parse_error &error) {
        std::size_t line = 1;
        std::size_t begin = 0;
        const std::size_t end = std::min(text.size(), error.byte > 0 ? error.byte - 1 : 0);
        for (std::size_t i = 0; i < end; ++i) {
            if (text[i] == '\n') {
                ++line;
                begin = i + 1;
            }
        }
        problems.push_back({place(file, line, end - begin + 1),
                            "not JSON: " + reason(error) + ". Mend the file here; comments (// and /* */) are allowed"});
        return std::nullopt;
    } catch (const nlohmann::json::exception &error) {
        problems.push_back({file.string(), std::string("holds a value that can't be kept: ") + error.what()});
        return std::nullopt;
    }
    if (!document.root.is_object()) {
        problems.push_back({place(file, 1, 1), "must hold a JSON object: begin with { and end with }"});
        return std::nullopt;
    }
    const std::size_t before = problems.size();
    Scanner(text).locate(document, problems);
    return problems.size() == before ? std::optional(std::move(document)) : std::nullopt;
}

std::optional<nlohmann::json> parse_value(const std::string &text) {
    if (Scanner(text).too_deep()) {
        return std::nullopt;
    }
    nlohmann::json value = nlohmann::json::parse(text, nullptr, false, true);
    return value.is_discarded() ? std::nullopt : std::optional(std::move(value));
}

std::optional<Document> parse_document(const FileText &file, std::vector<Problem> &problems) {
    if (!file.failure.empty()) {
        problems.push_back({file.file.string(), file.failure});
        return std::nullopt;
    }
    return parse_document(file.file, file.text, problems);
}

} // namespace weir::config
