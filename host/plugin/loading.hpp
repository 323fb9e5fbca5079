// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/candidate.hpp"
#include "plugin/catalog.hpp"
#include "plugin/loaded_module.hpp"

#include <functional>
#include <memory>

namespace weir::plugin {

/// A say over a plugin's name: as early as it is known, before the host itself has loaded anything where there are trials.
using NameCheck = std::function<std::optional<PluginRefusal>(const std::string &plugin_name)>;

/// Copies a checked candidate, tries it in a child process, loads it here.
std::shared_ptr<LoadedModule> load_candidate(const Candidate &candidate, const LoadOptions &options, const NameCheck &may_have_name,
                                             PluginRefusal &refusal);

} // namespace weir::plugin
