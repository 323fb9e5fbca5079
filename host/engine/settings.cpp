// SPDX-License-Identifier: Apache-2.0
#include "engine/settings.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace weir::engine {

namespace {

using Json = nlohmann::json;

std::string known_keys(const Json &defaults) {
    std::string list;
    for (const auto &[key, value] : defaults.items()) {
        list += (list.empty() ? "" : ", ") + key;
    }
    return list.empty() ? "none" : list;
}

// A number is as good as another; a default of null says nothing about the type.
bool same_kind(const Json &a, const Json &b) { return a.is_null() || a.type() == b.type() || (a.is_number() && b.is_number()); }

// Text as it comes from variables, where the default is a boolean or a number: "yes", "5". What reads as neither stays text.
Json meant_as(const Json &kind, const std::string &text) {
    if (kind.is_number()) {
        const Json number = Json::parse(text, nullptr, false);
        return number.is_number() ? number : Json(text);
    }
    if (kind.is_boolean()) {
        std::string word = text;
        std::transform(word.begin(), word.end(), word.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        if (word == "true" || word == "yes" || word == "on" || word == "1") {
            return true;
        }
        if (word == "false" || word == "no" || word == "off" || word == "0") {
            return false;
        }
    }
    return text;
}

} // namespace

std::optional<std::string> merge_settings(const std::string &defaults_json, const std::string &given_json, std::string &out) {
    const Json given = given_json.empty() ? Json::object() : Json::parse(given_json, nullptr, false);
    if (!given.is_object()) {
        return "\"settings\" must be a JSON object";
    }
    if (defaults_json.empty()) {
        out = given.dump();
        return std::nullopt;
    }
    Json merged = Json::parse(defaults_json, nullptr, false);
    if (!merged.is_object()) {
        return "the plugin's own default settings are not a JSON object; its author must mend that";
    }
    for (const auto &[key, value] : given.items()) {
        if (!merged.contains(key)) {
            return "/settings/" + key + ": the plugin knows no such setting; it knows: " + known_keys(merged);
        }
        const Json meant = value.is_string() ? meant_as(merged[key], value.get_ref<const std::string &>()) : value;
        if (!same_kind(merged[key], meant)) {
            return "/settings/" + key + ": must be of the type " + std::string(merged[key].type_name()) + ", like its default";
        }
        merged[key] = meant;
    }
    out = merged.dump();
    return std::nullopt;
}

} // namespace weir::engine
