// SPDX-License-Identifier: Apache-2.0
#include "contract_schema.hpp"

#include "json_pointer.hpp"

#include <algorithm>
#include <array>

namespace weir::event {

using nlohmann::json;

namespace {

/// Keywords whose values are taken as they are. What is missing here is refused: a misspelt keyword would check nothing, `pattern` can
/// overflow the stack of std::regex, `uniqueItems` costs the square of an array's length, `$ref` can lead in a circle.
constexpr std::array<std::string_view, 26> kPlainKeywords{"$comment",
                                                          "$id",
                                                          "$schema",
                                                          "const",
                                                          "default",
                                                          "description",
                                                          "enum",
                                                          "examples",
                                                          "required",
                                                          "title",
                                                          "type",
                                                          "exclusiveMaximum",
                                                          "exclusiveMinimum",
                                                          "maximum",
                                                          "minimum",
                                                          "maxItems",
                                                          "minItems",
                                                          "maxLength",
                                                          "minLength",
                                                          "maxProperties",
                                                          "minProperties",
                                                          "multipleOf",
                                                          "readOnly",
                                                          "writeOnly",
                                                          "contentMediaType",
                                                          "contentEncoding"};

/// Keywords that hold a schema of the same value, of which it need not hold: a format can't be taken out of it.
constexpr std::array<std::string_view, 6> kConditional{"not", "if", "then", "else", "contains", "propertyNames"};
constexpr std::array<std::string_view, 2> kAlternatives{"anyOf", "oneOf"};
constexpr int kMaxDepth = 32;

template <std::size_t N> bool is_one_of(const std::array<std::string_view, N> &names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

class Preparation {
public:
    std::optional<std::string> schema(json &node, const std::string &at, FormatNode &formats, int depth = 0) {
        if (depth > kMaxDepth) {
            return at + ": is nested too deep";
        }
        if (node.is_boolean()) {
            return std::nullopt;
        }
        if (!node.is_object()) {
            return at + ": must be a schema: an object, true or false";
        }
        if (auto wrong = take_format(node, at, formats)) {
            return wrong;
        }
        for (auto &[keyword, value] : node.items()) {
            std::string inner = at;
            append_token(inner, keyword);
            if (auto wrong = one_keyword(keyword, value, inner, formats, depth)) {
                return wrong;
            }
        }
        note_named(node, formats);
        return std::nullopt;
    }

private:
    static std::optional<std::string> take_format(json &node, const std::string &at, FormatNode &formats) {
        const auto found = node.find("format");
        if (found == node.end()) {
            return std::nullopt;
        }
        const auto format = found->is_string() ? parse_format(found->get_ref<const std::string &>()) : std::nullopt;
        if (!format) {
            return at + "/format: must be \"uuid\", \"date-time\" or \"email\"";
        }
        formats.formats.push_back(*format);
        node.erase(found);
        return std::nullopt;
    }

    std::optional<std::string> one_keyword(const std::string &keyword, json &value, const std::string &at, FormatNode &formats, int depth) {
        if (is_one_of(kPlainKeywords, keyword)) {
            return std::nullopt;
        }
        if (keyword == "properties") {
            return properties(value, at, formats, depth);
        }
        if (keyword == "items" || keyword == "additionalProperties") {
            auto inner = std::make_unique<FormatNode>();
            if (auto wrong = schema(value, at, *inner, depth + 1)) {
                return wrong;
            }
            if (!inner->empty()) {
                (keyword == "items" ? formats.items : formats.additional) = std::move(inner);
            }
            return std::nullopt;
        }
        if (keyword == "allOf" || is_one_of(kAlternatives, keyword)) {
            return list(value, at, depth);
        }
        if (is_one_of(kConditional, keyword)) {
            return without_format(value, at, depth);
        }
        if (keyword == "pattern" || keyword == "patternProperties") {
            return at + ": is refused, as a hostile value can overflow the stack of a regular expression; use \"format\", \"enum\" or "
                        "\"maxLength\"";
        }
        return at + ": is not a keyword that contracts may use";
    }

    std::optional<std::string> properties(json &value, const std::string &at, FormatNode &formats, int depth) {
        if (!value.is_object()) {
            return at + ": must be an object";
        }
        for (auto &[name, property] : value.items()) {
            std::string inner = at;
            append_token(inner, name);
            auto node = std::make_unique<FormatNode>();
            if (auto wrong = schema(property, inner, *node, depth + 1)) {
                return wrong;
            }
            if (!node->empty()) {
                formats.properties.emplace_back(name, std::move(node));
            }
        }
        return std::nullopt;
    }

    std::optional<std::string> list(json &value, const std::string &at, int depth) {
        if (!value.is_array() || value.empty()) {
            return at + ": must be an array of schemas";
        }
        for (std::size_t i = 0; i < value.size(); ++i) {
            if (auto wrong = without_format(value[i], at + '/' + std::to_string(i), depth)) {
                return wrong;
            }
        }
        return std::nullopt;
    }

    std::optional<std::string> without_format(json &value, const std::string &at, int depth) {
        FormatNode none;
        if (auto wrong = schema(value, at, none, depth + 1)) {
            return wrong;
        }
        if (!none.empty()) {
            return at + ": holds a \"format\", which is checked only outside of alternatives and conditions";
        }
        return std::nullopt;
    }

    static void note_named(const json &node, FormatNode &formats) {
        const auto found = node.find("properties");
        if (!formats.additional || found == node.end()) {
            return;
        }
        for (const auto &[name, property] : found->items()) {
            formats.named.push_back(name);
        }
    }
};

/// Looks for the first violation; the pointer is put together on the way back, so that nothing is allocated where all is well.
bool find_violation(const FormatNode &node, const json &value, std::vector<std::string> &path, Format &format) {
    if (value.is_string()) {
        for (const Format wanted : node.formats) {
            if (!has_format(wanted, value.get_ref<const std::string &>())) {
                format = wanted;
                return true;
            }
        }
    }
    if (value.is_object()) {
        for (const auto &[name, inner] : node.properties) {
            const auto found = value.find(name);
            if (found != value.end() && find_violation(*inner, *found, path, format)) {
                path.push_back(name);
                return true;
            }
        }
        if (node.additional) {
            for (const auto &[name, member] : value.items()) {
                if (std::find(node.named.begin(), node.named.end(), name) == node.named.end() &&
                    find_violation(*node.additional, member, path, format)) {
                    path.push_back(name);
                    return true;
                }
            }
        }
    }
    if (value.is_array() && node.items) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            if (find_violation(*node.items, value[i], path, format)) {
                path.push_back(std::to_string(i));
                return true;
            }
        }
    }
    return false;
}

} // namespace

std::optional<std::string> prepare_schema(json &schema, FormatNode &formats) { return Preparation().schema(schema, "", formats); }

std::optional<FormatViolation> check_formats(const FormatNode &node, const json &value) {
    std::vector<std::string> path;
    FormatViolation violation{};
    if (!find_violation(node, value, path, violation.format)) {
        return std::nullopt;
    }
    for (auto name = path.rbegin(); name != path.rend(); ++name) {
        append_token(violation.pointer, *name);
    }
    return violation;
}

} // namespace weir::event
