// SPDX-License-Identifier: Apache-2.0
#include "document.hpp"
#include "envelope.hpp"

namespace weir::event {

namespace {

/// One part of the key; false where it is missing.
bool append_part(const Node &document, const Source &source, std::string &out) {
    if (source.kind == Source::Kind::fixed) {
        out += source.text;
        return true;
    }
    const Node *value = find_value(document, source.text);
    if (!value || value->is_null() || value->is_array() || value->is_object()) {
        return false;
    }
    if (value->is_text()) {
        append_lower_if_uuid(out, value->as_text());
    } else {
        append_json(out, *value);
    }
    return true;
}

/// Escapes what was appended from `begin` on as a token of a JSON pointer.
void escape_from(std::string &key, std::size_t begin) {
    if (key.find_first_of("~/", begin) == std::string::npos) {
        return;
    }
    const std::string part = key.substr(begin);
    key.resize(begin);
    for (const char c : part) {
        if (c == '~' || c == '/') {
            key += c == '~' ? "~0" : "~1";
        } else {
            key += c;
        }
    }
}

} // namespace

void append_lower_if_uuid(std::string &out, std::string_view text) {
    const std::size_t begin = out.size();
    out += text;
    Uuid::lower(std::span(out).subspan(begin));
}

std::string lower_if_uuid(std::string_view text) {
    std::string out;
    append_lower_if_uuid(out, text);
    return out;
}

std::optional<std::string> make_key(const std::vector<Source> &sources, const Node &document) {
    std::string key;
    key.reserve(sources.size() * 37);
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (i > 0) {
            key += '/';
        }
        const std::size_t begin = key.size();
        if (!append_part(document, sources[i], key)) {
            return std::nullopt;
        }
        if (sources.size() > 1) {
            escape_from(key, begin);
        }
    }
    if (key.empty()) {
        return std::nullopt;
    }
    return key;
}

} // namespace weir::event
