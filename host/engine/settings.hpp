// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace weir::engine {

/// Lays a domain's settings over the plugin's defaults. Texts may stand for booleans and numbers, as those of variables do: "yes", "5".
/// @param defaults_json the descriptor's `settings`: a JSON object, or empty: then anything is accepted
/// @return what is wrong with `given_json` (an unknown key, a value of another type than the default), naming the JSON pointer; `out` is
/// then untouched
std::optional<std::string> merge_settings(const std::string &defaults_json, const std::string &given_json, std::string &out);

} // namespace weir::engine
