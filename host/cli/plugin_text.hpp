// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "json_text.hpp"

#include "plugin/catalog.hpp"

#include <string>

namespace weir::cli {

/// What a plugin declares, for `plugin inspect`: as JSON, and for people.
OrderedJson module_json(const plugin::Module &module);
std::string module_text(const plugin::Module &module);

OrderedJson refusal_json(const plugin::PluginRefusal &refusal);

} // namespace weir::cli
