// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/route.hpp"

#include <map>
#include <string>
#include <vector>

namespace weir::http {

struct OpenApiInfo {
    std::string title;
    std::string version;
    std::string description;
    std::map<std::string, std::string> schemas; ///< JSON Schemas by name, for "#/components/schemas/NAME"
};

/// An OpenAPI 3.1 document of the routes that aren't hidden, made from what they say of themselves; what the server itself answers
/// (problems) is added. Guarded routes ask for a bearer token. Throws std::invalid_argument where a description holds no JSON.
std::string openapi_document(const std::vector<Route> &routes, const OpenApiInfo &info);

} // namespace weir::http
