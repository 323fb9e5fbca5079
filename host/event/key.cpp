// SPDX-License-Identifier: Apache-2.0
#include "document.hpp"
#include "envelope.hpp"

#include <algorithm>

namespace weir::event {

using nlohmann::json;

namespace {

/// One part of the key; false where it is missing.
bool append_part(const json &document, const Source &source, std::string &out) {
    if (source.kind == Source::Kind::fixed) {
        out += source.text;
        return true;
    }
    const json *value = find_value(document, source.text);
    if (!value || value->is_null() || value->is_structured()) {
        return false;
    }
    if (!value->is_string()) {
        out += value->dump();
    } else if (const auto &text = value->get_ref<const std::string &>(); is_lower(text)) {
        out += text;
    } else {
        out += lower_if_uuid(text);
    }
    return true;
}

/// Escapes what was appended from `begin` on.
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

bool is_lower(std::string_view text) noexcept {
    return std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'F'; });
}

std::string lower_if_uuid(std::string_view text) {
    if (!is_lower(text)) {
        if (const auto id = Uuid::parse(text)) {
            return id->text();
        }
    }
    return std::string(text);
}

std::optional<std::string> make_key(const std::vector<Source> &sources, const json &document) {
    std::string key;
    key.reserve(sources.size() * 37); // UUIDs, mostly
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
