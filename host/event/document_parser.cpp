// SPDX-License-Identifier: Apache-2.0
#include "document.hpp"

#include "plain_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <vector>

namespace weir::event {

using nlohmann::json;

namespace {

/// The bytes that are being parsed, and how far. Texts without escapes are passed here, eight bytes at a time: the lexer, which costs
/// several nanoseconds a byte, sees only their quotes. Everything else is the lexer's to read and to judge.
class Source {
public:
    explicit Source(std::string_view text) : at_(text.data()), last_(text.data() + text.size()) {}

    bool at_end() const { return at_ == last_; }
    char front() const { return *at_; }

    void advance() {
        if (*at_++ == '"') {
            pass_quote();
        }
    }

    /// The text that the lexer has just come to the end of, which it holds as `lexed` if it was not passed here.
    std::string_view take_text(const std::string &lexed, Document &document) {
        if (place_ != Place::in_lexed_text) {
            return passed_;
        }
        place_ = Place::outside;
        return document.keep(lexed);
    }

private:
    enum class Place { outside, before_closing_quote, in_lexed_text };

    void pass_quote() {
        if (place_ == Place::before_closing_quote) {
            place_ = Place::outside;
        } else if (place_ == Place::outside) {
            bool ascii = true;
            const char *end = find_end_of_plain_text(at_, last_, ascii);
            const std::string_view text(at_, static_cast<std::size_t>(end - at_));
            if (end != last_ && *end == '"' && (ascii || !find_invalid_utf8(text))) {
                passed_ = text;
                at_ = end;
                place_ = Place::before_closing_quote;
            } else {
                place_ = Place::in_lexed_text;
            }
        }
    }

    const char *at_;
    const char *last_;
    std::string_view passed_;
    Place place_ = Place::outside;
};

/// A source as the pair of iterators that the parser takes.
class SourceIterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char *;
    using reference = char;

    SourceIterator() = default;
    explicit SourceIterator(Source &source) : source_(&source) {}

    char operator*() const { return source_->front(); }
    SourceIterator &operator++() {
        source_->advance();
        return *this;
    }
    bool operator==(const SourceIterator &other) const { return at_end() == other.at_end(); }

private:
    bool at_end() const { return !source_ || source_->at_end(); }

    Source *source_ = nullptr;
};

/// Puts a document together from what the parser finds. A container waits on the stack, followed by its children; at its end they move
/// to where they stay, side by side.
class Builder { // the names of its functions are the parser's
public:
    Builder(Source &source, Document &document, std::size_t max_depth) : source_(source), document_(document), max_depth_(max_depth) {
        stack_.reserve(kUsualNodes);
    }

    const Node &result() const { return stack_.front(); }

    bool null() {
        push(NodeType::null);
        return true;
    }
    bool boolean(bool value) {
        push(NodeType::boolean).boolean = value;
        return true;
    }
    bool number_integer(json::number_integer_t value) {
        push(NodeType::signed_whole).signed_whole = value;
        return true;
    }
    bool number_unsigned(json::number_unsigned_t value) {
        push(NodeType::whole).whole = value;
        return true;
    }
    bool number_float(json::number_float_t value, const json::string_t &) {
        push(NodeType::real).real = value;
        return true;
    }
    bool string(const json::string_t &lexed) {
        const std::string_view text = source_.take_text(lexed, document_);
        Node &node = push(NodeType::text);
        node.text = text.data();
        node.size = text.size();
        return true;
    }
    bool binary(json::binary_t &) { return false; } // not in JSON text
    bool start_object(std::size_t) { return open(NodeType::object); }
    bool key(const json::string_t &lexed) {
        name_ = source_.take_text(lexed, document_);
        return true;
    }
    bool end_object() { return close(); }
    bool start_array(std::size_t) { return open(NodeType::array); }
    bool end_array() { return close(); }
    bool parse_error(std::size_t, const std::string &, const json::exception &) { return false; }

private:
    static constexpr std::size_t kUsualNodes = 30;

    Node &push(NodeType type) {
        Node &node = stack_.emplace_back();
        node.name = name_;
        node.type = type;
        return node;
    }

    bool open(NodeType type) {
        if (++depth_ > max_depth_) {
            return false;
        }
        push(type).whole = container_; // until its end
        container_ = stack_.size() - 1;
        return true;
    }

    bool close() {
        --depth_;
        Node &node = stack_[container_];
        const Node *children = &node + 1;
        const std::size_t count = stack_.size() - container_ - 1;
        const std::size_t outer = node.whole;
        Node *kept = document_.make_nodes(count);
        std::copy(children, children + count, kept);
        if (node.is_object()) {
            const std::string_view name = node.name;
            node = document_.make_object(kept, count);
            node.name = name;
        } else {
            node.children = kept;
            node.size = count;
        }
        stack_.resize(container_ + 1);
        container_ = outer;
        return true;
    }

    Source &source_;
    Document &document_;
    std::size_t max_depth_;
    std::vector<Node> stack_;
    std::string_view name_; ///< of the next value, where it is a member
    std::size_t container_ = 0;
    std::size_t depth_ = 0;
};

/// What a scan of the bytes finds, for a text that could not be parsed.
struct Shape {
    std::size_t depth = 0;
    std::size_t nul = std::string_view::npos; ///< the parser would take a NUL for the end and what follows for nothing
};

Shape scan(std::string_view text) {
    Shape shape;
    std::size_t depth = 0;
    bool in_text = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\0') {
            shape.nul = i;
            return shape;
        }
        if (in_text) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                in_text = false;
            }
        } else if (c == '"') {
            in_text = true;
        } else if (c == '[' || c == '{') {
            shape.depth = std::max(shape.depth, ++depth);
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
    return shape;
}

/// Takes a text through the parser for nothing but the place and the kind of its first error.
struct ErrorFinder : nlohmann::json_sax<json> {
    std::size_t offset = 0;
    bool out_of_range = false;

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t &) override { return true; }
    bool string(string_t &) override { return true; }
    bool binary(binary_t &) override { return true; }
    bool start_object(std::size_t) override { return true; }
    bool key(string_t &) override { return true; }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t position, const std::string &, const json::exception &error) override {
        offset = position;
        out_of_range = error.id == 406;
        return false;
    }
};

bool starts_with_bytes(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

bool is_other_encoding(std::string_view text) {
    using namespace std::string_view_literals;
    return starts_with_bytes(text, "\xff\xfe"sv) || starts_with_bytes(text, "\xfe\xff"sv) || starts_with_bytes(text, "\0\0\xfe\xff"sv) ||
           starts_with_bytes(text, "\x1f\x8b"sv) || starts_with_bytes(text, "\x28\xb5\x2f\xfd"sv);
}

Refusal explain(std::string_view text) {
    if (text.empty()) {
        return {"malformed_json", "The text is empty; it must be JSON text."};
    }
    if (is_other_encoding(text)) {
        return {"unknown_encoding", "The text begins like UTF-16, UTF-32 or compressed data; it must be JSON text in UTF-8."};
    }
    if (const auto offset = find_invalid_utf8(text)) {
        return {"invalid_utf8", "The text is not UTF-8 at byte " + std::to_string(*offset) + "."};
    }
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
        return {"malformed_json", "The text is not JSON: a NUL at byte " + std::to_string(nul) + "."};
    }
    ErrorFinder finder;
    json::sax_parse(text.data(), text.data() + text.size(), &finder);
    if (finder.out_of_range) {
        return {"number_out_of_range", "The number that ends at byte " + std::to_string(finder.offset) + " does not fit a double."};
    }
    return {"malformed_json", "The text is not JSON from byte " + std::to_string(finder.offset) + " on."};
}

Refusal explain(std::string_view text, std::size_t max_depth) {
    if (scan(text).depth > max_depth) {
        return {"too_deep", "The text nests arrays and objects deeper than " + std::to_string(max_depth) + "."};
    }
    return explain(text);
}

} // namespace

std::optional<Refusal> parse_into(Document &document, std::string_view text, std::size_t max_depth, Node &out) {
    // The parser takes a NUL for the end and what follows for nothing; a text that ends in one looks as if it were whole.
    if (text.empty() || text.back() == '\0') {
        return explain(text, max_depth);
    }
    Source source(text);
    Builder builder(source, document, max_depth);
    if (!json::sax_parse(SourceIterator(source), SourceIterator(), &builder) || !source.at_end()) {
        return explain(text, max_depth);
    }
    out = builder.result();
    return std::nullopt;
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    for (std::size_t i = 0; i < text.size();) {
        const unsigned lead = byte(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        std::size_t more = 0;
        unsigned low = 0x80;
        unsigned high = 0xBF;
        if (lead >= 0xC2 && lead <= 0xDF) {
            more = 1;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            more = 2;
            low = lead == 0xE0 ? 0xA0 : low;   // no overlong forms
            high = lead == 0xED ? 0x9F : high; // no surrogates
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            more = 3;
            low = lead == 0xF0 ? 0x90 : low;
            high = lead == 0xF4 ? 0x8F : high; // nothing past U+10FFFF
        } else {
            return i;
        }
        for (std::size_t k = 1; k <= more; ++k) {
            if (byte(i + k) < low || byte(i + k) > high) {
                return i;
            }
            low = 0x80;
            high = 0xBF;
        }
        i += more + 1;
    }
    return std::nullopt;
}

} // namespace weir::event
