// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/route_board.hpp"
#include "http/route.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace weir::cli {

/// The routes of the domains that are served now, for the HTTP server's table. They keep the services that answer them. Of several domains
/// with the same routes (of one plugin: others are refused before they serve), the first by name answers.
/// @param shadowed what was said of routes that another domain answers, so that it is said once; null: nothing is to be said
std::vector<http::Route> plugin_routes(const engine::RouteBoard &board, std::set<std::string> *shadowed = nullptr);

} // namespace weir::cli
