// SPDX-License-Identifier: Apache-2.0
#include "contract_acceptor.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::event {

using nlohmann::json;

namespace {

constexpr std::uint64_t kMaxInteger = std::numeric_limits<std::int64_t>::max();

constexpr std::array<std::string_view, 11> kAnnotations{"$comment",         "$id",     "$schema",     "contentEncoding",
                                                        "contentMediaType", "default", "description", "examples",
                                                        "readOnly",         "title",   "writeOnly"};

constexpr unsigned bit(NodeType type) { return 1u << static_cast<unsigned>(type); }

unsigned types_of(const json &name) {
    static const std::pair<std::string_view, unsigned> known[] = {
        {"null", bit(NodeType::null)},
        {"boolean", bit(NodeType::boolean)},
        {"integer", bit(NodeType::whole) | bit(NodeType::signed_whole)},
        {"number", bit(NodeType::whole) | bit(NodeType::signed_whole) | bit(NodeType::real)},
        {"string", bit(NodeType::text)},
        {"array", bit(NodeType::array)},
        {"object", bit(NodeType::object)},
    };
    for (const auto &[text, types] : known) {
        if (name == text) {
            return types;
        }
    }
    return 0;
}

/// A name that the validator, which ends names at a NUL, reads as it is.
bool is_plain_name(const json &name) { return name.is_string() && name.get_ref<const std::string &>().find('\0') == std::string::npos; }

bool read_count(const json &value, std::uint64_t &out) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kMaxInteger) {
        return false;
    }
    out = value.get<std::uint64_t>();
    return true;
}

bool read_bound(const json &value, double &out) {
    if (!value.is_number() || (value.is_number_unsigned() && value.get<std::uint64_t>() > kMaxInteger)) {
        return false;
    }
    out = value.get<double>();
    return true;
}

std::shared_ptr<const ContractAcceptor> compile_inner(const json &schema) {
    auto compiled = ContractAcceptor::compile(schema);
    return compiled ? std::make_shared<const ContractAcceptor>(std::move(*compiled)) : nullptr;
}

bool compile_list(const json &schemas, std::vector<ContractAcceptor> &out) {
    for (const json &schema : schemas) {
        auto compiled = ContractAcceptor::compile(schema);
        if (!compiled) {
            return false;
        }
        out.push_back(std::move(*compiled));
    }
    return schemas.is_array() && !schemas.empty();
}

} // namespace

struct ContractAcceptor::Keyword {
    std::string_view name;
    bool (*read)(ContractAcceptor &, const json &);
};

std::optional<ContractAcceptor> ContractAcceptor::compile(const json &schema) {
    ContractAcceptor compiled;
    if (schema.is_boolean()) {
        compiled.nothing_ = !schema.get<bool>();
        return compiled;
    }
    if (!schema.is_object() || !compiled.read(schema)) {
        return std::nullopt;
    }
    return compiled;
}

bool ContractAcceptor::read(const json &schema) {
    using Self = ContractAcceptor;
    static const Keyword keywords[] = {
        {"type", [](Self &self, const json &value) { return self.read_type(value); }},
        {"const", [](Self &self, const json &value) { return self.read_choice(value); }},
        {"enum", [](Self &self, const json &value) { return self.read_choices(value); }},
        {"format",
         [](Self &self, const json &value) {
             self.format_ = value.is_string() ? parse_format(value.get_ref<const std::string &>()) : std::nullopt;
             return self.format_.has_value();
         }},
        {"minLength", [](Self &self, const json &value) { return read_count(value, self.length_.least); }},
        {"maxLength", [](Self &self, const json &value) { return read_count(value, self.length_.most); }},
        {"minItems", [](Self &self, const json &value) { return read_count(value, self.elements_.least); }},
        {"maxItems", [](Self &self, const json &value) { return read_count(value, self.elements_.most); }},
        {"minProperties", [](Self &self, const json &value) { return read_count(value, self.members_.least); }},
        {"maxProperties", [](Self &self, const json &value) { return read_count(value, self.members_.most); }},
        {"minimum", [](Self &self, const json &value) { return self.bounded_ = read_bound(value, self.least_); }},
        {"maximum", [](Self &self, const json &value) { return self.bounded_ = read_bound(value, self.most_); }},
        {"exclusiveMinimum", [](Self &self, const json &value) { return self.bounded_ = read_bound(value, self.more_than_); }},
        {"exclusiveMaximum", [](Self &self, const json &value) { return self.bounded_ = read_bound(value, self.less_than_); }},
        {"required", [](Self &self, const json &value) { return self.read_required(value); }},
        {"properties", [](Self &self, const json &value) { return self.read_properties(value); }},
        {"additionalProperties", [](Self &self, const json &value) { return (self.additional_ = compile_inner(value)) != nullptr; }},
        {"items", [](Self &self, const json &value) { return (self.items_ = compile_inner(value)) != nullptr; }},
        {"allOf", [](Self &self, const json &value) { return compile_list(value, self.all_of_); }},
        {"anyOf", [](Self &self, const json &value) { return compile_list(value, self.any_of_); }},
    };
    for (const auto &[name, value] : schema.items()) {
        if (std::find(kAnnotations.begin(), kAnnotations.end(), name) != kAnnotations.end()) {
            continue;
        }
        const std::string_view wanted = name;
        const auto *keyword = std::find_if(std::begin(keywords), std::end(keywords), [&](const Keyword &k) { return k.name == wanted; });
        if (keyword == std::end(keywords) || !keyword->read(*this, value)) {
            return false;
        }
    }
    return true;
}

bool ContractAcceptor::read_type(const json &value) {
    types_ = 0;
    if (!value.is_array()) {
        types_ = types_of(value);
        return types_ != 0;
    }
    for (const json &name : value) {
        if (types_of(name) == 0) {
            return false;
        }
        types_ |= types_of(name);
    }
    return true;
}

bool ContractAcceptor::read_choices(const json &value) {
    if (chosen_ || !value.is_array()) {
        return false; // `const` and `enum` at once
    }
    for (const json &choice : value) {
        chosen_ = false;
        if (!read_choice(choice)) {
            return false;
        }
    }
    return chosen_;
}

bool ContractAcceptor::read_choice(const json &value) {
    if (chosen_) {
        return false;
    }
    chosen_ = true;
    if (value.is_string()) {
        texts_.push_back(value.get<std::string>());
    } else if (value.is_number_integer() && !(value.is_number_unsigned() && value.get<std::uint64_t>() > kMaxInteger)) {
        integers_.push_back(value.get<std::int64_t>());
    } else if (value.is_boolean()) {
        (value.get<bool>() ? true_ : false_) = true;
    } else if (value.is_null()) {
        null_ = true;
    } else {
        return false;
    }
    return true;
}

bool ContractAcceptor::read_required(const json &value) {
    if (!value.is_array()) {
        return false;
    }
    for (const json &name : value) {
        if (!is_plain_name(name)) {
            return false;
        }
        property(name.get<std::string>()).required = true;
    }
    return true;
}

bool ContractAcceptor::read_properties(const json &value) {
    for (const auto &[name, schema] : value.items()) {
        auto compiled = compile_inner(schema);
        if (!compiled || !is_plain_name(name)) {
            return false;
        }
        property(name).value = std::move(compiled);
    }
    return value.is_object();
}

ContractAcceptor::Property &ContractAcceptor::property(const std::string &name) {
    const auto place = std::lower_bound(properties_.begin(), properties_.end(), name,
                                        [](const Property &property, const std::string &wanted) { return property.name < wanted; });
    if (place != properties_.end() && place->name == name) {
        return *place;
    }
    return *properties_.insert(place, Property{name, false, nullptr});
}

const ContractAcceptor::Property *ContractAcceptor::find_property(std::string_view name) const {
    const auto place = std::lower_bound(properties_.begin(), properties_.end(), name,
                                        [](const Property &property, std::string_view wanted) { return property.name < wanted; });
    return place != properties_.end() && place->name == name ? &*place : nullptr;
}

bool ContractAcceptor::accepts(const Node &value) const {
    if (nothing_ || (types_ & bit(value.type)) == 0 || (chosen_ && !accepts_choice(value))) {
        return false;
    }
    for (const ContractAcceptor &inner : all_of_) {
        if (!inner.accepts(value)) {
            return false;
        }
    }
    if (!any_of_.empty() &&
        std::none_of(any_of_.begin(), any_of_.end(), [&](const ContractAcceptor &inner) { return inner.accepts(value); })) {
        return false;
    }
    switch (value.type) {
    case NodeType::text:
        return accepts_text(value.as_text());
    case NodeType::array:
        return accepts_array(value);
    case NodeType::object:
        return accepts_object(value);
    case NodeType::whole:
    case NodeType::signed_whole:
    case NodeType::real:
        return !bounded_ || accepts_number(value);
    case NodeType::null:
    case NodeType::boolean:
        break;
    }
    return true;
}

bool ContractAcceptor::accepts_choice(const Node &value) const {
    switch (value.type) {
    case NodeType::null:
        return null_;
    case NodeType::boolean:
        return value.boolean ? true_ : false_;
    case NodeType::text:
        return std::find(texts_.begin(), texts_.end(), value.as_text()) != texts_.end();
    case NodeType::signed_whole:
        return std::find(integers_.begin(), integers_.end(), value.signed_whole) != integers_.end();
    case NodeType::whole:
        return value.whole <= kMaxInteger &&
               std::find(integers_.begin(), integers_.end(), static_cast<std::int64_t>(value.whole)) != integers_.end();
    default:
        return false; // 1.0 for 1, and whole arrays: the validator's to compare
    }
}

bool ContractAcceptor::accepts_text(std::string_view text) const {
    if (format_ && !has_format(*format_, text)) {
        return false;
    }
    // There are never more characters than bytes.
    if (length_.least == 0 && text.size() <= length_.most) {
        return true;
    }
    if (text.size() < length_.least || text.find('\0') != std::string_view::npos) {
        return false; // the validator counts up to a NUL
    }
    const auto characters =
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; });
    return length_.holds(static_cast<std::uint64_t>(characters));
}

bool ContractAcceptor::accepts_number(const Node &value) const {
    if (value.type == NodeType::whole && value.whole > kMaxInteger) {
        return false; // the validator takes it for another number
    }
    const double number = value.as_double();
    return number >= least_ && number <= most_ && number > more_than_ && number < less_than_;
}

bool ContractAcceptor::accepts_array(const Node &array) const {
    return elements_.holds(array.size) &&
           (!items_ || std::all_of(array.begin(), array.end(), [&](const Node &element) { return items_->accepts(element); }));
}

bool ContractAcceptor::accepts_object(const Node &object) const {
    if (!members_.holds(object.size)) {
        return false;
    }
    for (const Property &property : properties_) {
        const Node *member = find_member(object, property.name);
        if (member ? property.value && !property.value->accepts(*member) : property.required) {
            return false;
        }
    }
    if (!additional_) {
        return true;
    }
    return std::all_of(object.begin(), object.end(), [&](const Node &member) {
        const Property *property = find_property(member.name);
        return (property && property->value) || additional_->accepts(member);
    });
}

} // namespace weir::event
