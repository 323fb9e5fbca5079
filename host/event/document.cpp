// SPDX-License-Identifier: Apache-2.0
#include "document.hpp"

#include "event/decoder.hpp"
#include "json_pointer.hpp"
#include "plain_document.hpp"

#include <charconv>
#include <limits>

namespace weir::event {

using nlohmann::json;

namespace {

/// An array's element by its index's decimal form, without sign or leading zeros. [RFC 6901, section 4]
const json *element(const json &array, std::string_view token) {
    if (token.empty() || (token.size() > 1 && token.front() == '0')) {
        return nullptr;
    }
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    if (error != std::errc() || end != token.data() + token.size() || index >= array.size()) {
        return nullptr;
    }
    return &array[index];
}

/// What a scan of the bytes finds before anything is parsed, so that no depth ever meets a recursion.
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

} // namespace

const json *find_value(const json &root, std::string_view pointer) {
    if (!pointer.empty() && pointer.front() != '/') {
        return nullptr;
    }
    const json *value = &root;
    std::string storage;
    std::string_view token;
    while (!pointer.empty()) {
        if (!take_token(pointer, storage, token)) {
            return nullptr;
        }
        if (value->is_object()) {
            const auto found = value->find(token);
            value = found == value->end() ? nullptr : &*found;
        } else {
            value = value->is_array() ? element(*value, token) : nullptr;
        }
        if (!value) {
            return nullptr;
        }
    }
    return value;
}

JsonKind Document::kind(std::string_view pointer) const {
    const json *value = find_value(root_, pointer);
    if (!value) {
        return JsonKind::absent;
    }
    switch (value->type()) {
    case json::value_t::null:
        return JsonKind::null;
    case json::value_t::boolean:
        return JsonKind::boolean;
    case json::value_t::number_integer:
        return JsonKind::integer;
    case json::value_t::number_unsigned:
        return integer(pointer) ? JsonKind::integer : JsonKind::number;
    case json::value_t::number_float:
        return JsonKind::number;
    case json::value_t::string:
        return JsonKind::text;
    case json::value_t::array:
        return JsonKind::array;
    case json::value_t::object:
        return JsonKind::object;
    case json::value_t::binary:
    case json::value_t::discarded:
        break;
    }
    return JsonKind::absent;
}

std::optional<std::string_view> Document::text(std::string_view pointer) const {
    const json *value = find_value(root_, pointer);
    if (!value || !value->is_string()) {
        return std::nullopt;
    }
    return value->get_ref<const std::string &>();
}

std::optional<std::int64_t> Document::integer(std::string_view pointer) const {
    const json *value = find_value(root_, pointer);
    if (!value || !value->is_number_integer()) {
        return std::nullopt;
    }
    if (value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
        return std::nullopt;
    }
    return value->get<std::int64_t>();
}

std::optional<double> Document::number(std::string_view pointer) const {
    const json *value = find_value(root_, pointer);
    if (!value || !value->is_number()) {
        return std::nullopt;
    }
    return value->get<double>();
}

std::optional<bool> Document::boolean(std::string_view pointer) const {
    const json *value = find_value(root_, pointer);
    if (!value || !value->is_boolean()) {
        return std::nullopt;
    }
    return value->get<bool>();
}

std::optional<std::string> Document::dump(std::string_view pointer) const {
    const json *value = find_value(root_, pointer);
    if (!value) {
        return std::nullopt;
    }
    return value->dump();
}

std::optional<std::size_t> Document::length(std::string_view pointer) const {
    const json *value = find_value(root_, pointer);
    if (!value || !value->is_structured()) {
        return std::nullopt;
    }
    return value->size();
}

std::optional<Refusal> parse_document(std::string_view text, std::size_t max_depth, json &out) {
    if (parse_plain_document(text, max_depth, out)) {
        return std::nullopt;
    }
    const Shape shape = scan(text);
    if (shape.depth > max_depth) {
        return Refusal{"too_deep", "The text nests arrays and objects deeper than " + std::to_string(max_depth) + "."};
    }
    if (shape.nul != std::string_view::npos || text.empty()) {
        return explain(text);
    }
    out = json::parse(text.data(), text.data() + text.size(), nullptr, false);
    if (out.is_discarded()) {
        return explain(text);
    }
    return std::nullopt;
}

std::shared_ptr<const Json> parse_json(std::string_view text, std::size_t max_depth, std::string &reason) {
    json root;
    if (auto refusal = parse_document(text, max_depth, root)) {
        reason = std::move(refusal->message);
        return nullptr;
    }
    return std::make_shared<Document>(std::move(root));
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
