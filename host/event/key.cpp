// SPDX-License-Identifier: Apache-2.0
#include "document.hpp"
#include "envelope.hpp"

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
    out += value->is_string() ? lower_if_uuid(value->get_ref<const std::string &>()) : value->dump();
    return true;
}

} // namespace

std::string lower_if_uuid(std::string_view text) {
    if (const auto id = Uuid::parse(text)) {
        return id->text();
    }
    return std::string(text);
}

std::optional<std::string> make_key(const std::vector<Source> &sources, const json &document) {
    std::string key;
    std::string part;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        part.clear();
        if (!append_part(document, sources[i], part)) {
            return std::nullopt;
        }
        if (sources.size() == 1) {
            key = std::move(part);
            break;
        }
        if (i > 0) {
            key += '/';
        }
        for (const char c : part) {
            if (c == '~' || c == '/') {
                key += c == '~' ? "~0" : "~1";
            } else {
                key += c;
            }
        }
    }
    if (key.empty()) {
        return std::nullopt;
    }
    return key;
}

} // namespace weir::event
