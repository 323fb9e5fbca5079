// SPDX-License-Identifier: Apache-2.0
#include "contract_types.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace weir::event {

using nlohmann::json;

namespace {

std::string type_of(const json &value) { return value.is_number_integer() ? "integer" : value.is_number() ? "number" : value.type_name(); }

const json *element(const json &array, const std::string &step) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
    return error == std::errc() && end == step.data() + step.size() && index < array.size() ? &array[index] : nullptr;
}

const json *inner_value(const json &value, const std::string &step) {
    if (value.is_array()) {
        return element(value, step);
    }
    const auto found = value.find(step); // the end where it is no object
    return found == value.end() ? nullptr : &*found;
}

/// The schema of a member or an element, as far as its parent names it without alternatives.
const json *inner_schema(const json &schema, const json &parent, const std::string &step) {
    if (parent.is_array()) {
        const auto items = schema.find("items");
        return items == schema.end() ? nullptr : items->is_array() ? element(*items, step) : &*items;
    }
    if (const auto properties = schema.find("properties"); properties != schema.end() && properties->contains(step)) {
        return &properties->at(step);
    }
    const auto additional = schema.find("additionalProperties");
    return additional == schema.end() ? nullptr : &*additional;
}

bool allows(const std::string &type, const std::string &found) { return type == found || (type == "number" && found == "integer"); }

/// What `type` asks for, where the value hasn't it.
std::string unmet(const json &schema, const std::string &found) {
    const auto type = schema.find("type");
    if (type == schema.end()) {
        return {};
    }
    const json types = type->is_array() ? *type : json::array({*type});
    std::string list;
    for (std::size_t at = 0; at < types.size(); ++at) {
        const std::string name = types[at].is_string() ? types[at].get<std::string>() : std::string();
        if (name.empty() || allows(name, found)) {
            return {};
        }
        list += (at == 0 ? "" : at + 1 == types.size() ? " or " : ", ") + name;
    }
    return list;
}

/// Every schema that holds for a value whatever else it is: the one given, and all that it is put together of.
void add_whole(const json *schema, std::vector<const json *> &all) {
    if (schema == nullptr || !schema->is_object()) {
        return;
    }
    all.push_back(schema);
    if (const auto parts = schema->find("allOf"); parts != schema->end() && parts->is_array()) {
        for (const json &part : *parts) {
            add_whole(&part, all);
        }
    }
}

} // namespace

TypeMismatch find_type_mismatch(const json &schema, const json &message, const std::vector<std::string> &path) {
    std::vector<const json *> schemas;
    add_whole(&schema, schemas);
    const json *value = &message;
    for (const std::string &step : path) {
        std::vector<const json *> inner;
        for (const json *each : schemas) {
            add_whole(inner_schema(*each, *value, step), inner);
        }
        value = inner_value(*value, step);
        if (value == nullptr) {
            return {};
        }
        schemas = std::move(inner);
    }
    TypeMismatch mismatch{{}, type_of(*value)};
    for (const json *each : schemas) {
        if (mismatch.expected.empty()) {
            mismatch.expected = unmet(*each, mismatch.found);
        }
    }
    return mismatch;
}

} // namespace weir::event
