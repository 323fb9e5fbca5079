// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/status_report.hpp"
#include "operations/operations.hpp"
#include "plugin/catalog.hpp"

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace weir::cli {

/// What became of the files of the plugin directory; told by the catalog's thread, asked by others. Thread-safe.
class PluginStates {
public:
    void loaded(const plugin::Module &module);
    void removed(const std::string &name);
    void refused(const plugin::PluginRefusal &refusal);

    /// Those that are refused, and whose file is still there.
    RefusedPlugins refused_now() const;

    /// Those that are loaded, the newest generation of each, then those that are refused.
    std::vector<operations::PluginState> all() const;

private:
    mutable std::mutex mutex_;
    std::map<std::string, operations::PluginState> loaded_; ///< by name
    RefusedPlugins refused_;
};

} // namespace weir::cli
