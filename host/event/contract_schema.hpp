// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::event {

/// The formats that a schema asks for, as a tree in the shape of the values that it is about.
struct FormatNode {
    std::vector<Format> formats;
    std::vector<std::pair<std::string, std::unique_ptr<FormatNode>>> properties;
    std::unique_ptr<FormatNode> items;      ///< of every element
    std::unique_ptr<FormatNode> additional; ///< of every member that `properties` of the schema doesn't name
    std::vector<std::string> named;         ///< all names in the schema's `properties`; only where `additional` is set

    bool empty() const { return formats.empty() && properties.empty() && !items && !additional; }
};

/// Checks that a contract keeps to the keywords whose cost is bounded by the size of a message, and takes its formats out.
/// @param schema loses every `format`
/// @return what is wrong, beginning with the JSON pointer into the schema
std::optional<std::string> prepare_schema(nlohmann::json &schema, FormatNode &formats);

/// The first value that hasn't its format: its JSON pointer and the format.
struct FormatViolation {
    std::string pointer;
    Format format;
};
std::optional<FormatViolation> check_formats(const FormatNode &node, const nlohmann::json &value);

} // namespace weir::event
