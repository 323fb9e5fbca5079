// SPDX-License-Identifier: Apache-2.0
#include "plain_structure.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

namespace weir::event {

using nlohmann::json;

namespace {

/// Keywords that ask for nothing.
constexpr std::array<std::string_view, 9> kNotes{"$comment", "$id",   "$schema",  "default",  "description",
                                                 "examples", "title", "readOnly", "writeOnly"};

std::uint32_t bit(json::value_t type) { return 1u << static_cast<unsigned>(type); }

/// 0 for a name that isn't known.
std::uint32_t types_named(const json &name) {
    static const std::array<std::pair<std::string_view, std::uint32_t>, 6> known{{
        {"null", bit(json::value_t::null)},
        {"boolean", bit(json::value_t::boolean)},
        {"string", bit(json::value_t::string)},
        {"array", bit(json::value_t::array)},
        {"object", bit(json::value_t::object)},
        {"integer", bit(json::value_t::number_integer) | bit(json::value_t::number_unsigned)},
    }};
    if (!name.is_string()) {
        return 0;
    }
    const auto found =
        std::find_if(known.begin(), known.end(), [&](const auto &entry) { return name.get_ref<const std::string &>() == entry.first; });
    return found == known.end() ? 0 : found->second;
}

std::optional<std::uint32_t> read_types(const json &value) {
    std::uint32_t types = 0;
    for (const json &name : value.is_array() ? value : json::array({value})) {
        const std::uint32_t named = types_named(name);
        if (named == 0) {
            return std::nullopt;
        }
        types |= named;
    }
    return types == 0 ? std::nullopt : std::optional(types);
}

bool read_texts(const json &value, std::vector<std::string> &out) {
    if (!out.empty() || !value.is_array() || value.empty()) { // `const` and `enum` in one schema are rare
        return false;
    }
    for (const json &text : value) {
        if (!text.is_string()) {
            return false;
        }
        out.push_back(text.get<std::string>());
    }
    return true;
}

template <typename Integer> bool read_integer(const json &value, std::optional<Integer> &out) {
    if (!value.is_number_integer() ||
        (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()})) {
        return false;
    }
    const auto number = value.get<std::int64_t>();
    if (std::is_unsigned_v<Integer> && number < 0) {
        return false;
    }
    out = static_cast<Integer>(number);
    return true;
}

} // namespace

std::optional<PlainStructure> PlainStructure::of(const json &schema) {
    if (!schema.is_object()) {
        return std::nullopt;
    }
    PlainStructure plain;
    for (const auto &[keyword, value] : schema.items()) {
        bool known = true;
        if (keyword == "type") {
            const auto types = read_types(value);
            known = types.has_value();
            plain.types_ = types.value_or(0);
        } else if (keyword == "const") {
            known = read_texts(json::array({value}), plain.texts_);
        } else if (keyword == "enum") {
            known = read_texts(value, plain.texts_);
        } else if (keyword == "required") {
            for (const json &name : value) {
                known = known && name.is_string();
                plain.required_.push_back(name.is_string() ? name.get<std::string>() : "");
            }
        } else if (keyword == "properties") {
            for (const auto &[name, inner] : value.items()) {
                auto property = of(inner);
                if (!property) {
                    return std::nullopt;
                }
                plain.properties_.emplace_back(name, std::move(*property));
            }
        } else if (keyword == "minLength") {
            known = read_integer(value, plain.length_min_);
        } else if (keyword == "maxLength") {
            known = read_integer(value, plain.length_max_);
        } else if (keyword == "minimum") {
            known = read_integer(value, plain.minimum_);
        } else if (keyword == "maximum") {
            known = read_integer(value, plain.maximum_);
        } else {
            known = std::find(kNotes.begin(), kNotes.end(), keyword) != kNotes.end();
        }
        if (!known) {
            return std::nullopt;
        }
    }
    return plain;
}

bool PlainStructure::surely_holds(const json &value) const {
    if (types_ != 0 && (types_ & bit(value.type())) == 0) {
        return false;
    }
    if (value.is_string()) {
        return surely_holds_text(value.get_ref<const std::string &>());
    }
    if (!texts_.empty()) {
        return false;
    }
    if (value.is_number()) {
        if (!minimum_ && !maximum_) {
            return true;
        }
        if (!value.is_number_integer() ||
            (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()})) {
            return false;
        }
        const auto number = value.get<std::int64_t>();
        return (!minimum_ || number >= *minimum_) && (!maximum_ || number <= *maximum_);
    }
    if (!value.is_object()) {
        return true;
    }
    for (const std::string &name : required_) {
        if (!value.contains(name)) {
            return false;
        }
    }
    for (const auto &[name, inner] : properties_) {
        const auto found = value.find(name);
        if (found != value.end() && !inner.surely_holds(*found)) {
            return false;
        }
    }
    return true;
}

bool PlainStructure::surely_holds_text(const std::string &text) const {
    if (!texts_.empty() && std::find(texts_.begin(), texts_.end(), text) == texts_.end()) {
        return false;
    }
    if (!length_min_ && !length_max_) {
        return true;
    }
    const auto characters = static_cast<std::uint64_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
    return (!length_min_ || characters >= *length_min_) && (!length_max_ || characters <= *length_max_);
}

} // namespace weir::event
