// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace weir::event {

/// A value whose type a contract doesn't allow, by the names that JSON Schema has for types.
struct TypeMismatch {
    std::string expected; ///< "string or null"; empty where only alternatives of the schema say it
    std::string found;    ///< "integer"; empty where there is no such value
};

/// Only for events that were refused: it goes through schema and message.
/// @param path names of members and numbers of elements, from the root to the value
TypeMismatch find_type_mismatch(const nlohmann::json &schema, const nlohmann::json &message, const std::vector<std::string> &path);

} // namespace weir::event
