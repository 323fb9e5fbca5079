// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/catalog.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace weir::plugin {

/// Where and how plugins are put in place. One plugin is one file, `<directory>/NAME.so`; its predecessor is kept as
/// `<directory>/.previous/NAME.so`, which no host loads. Each step is a rename of a file that is already on the disk, so a kill or a power
/// cut leaves the old state or the new one, and a running host never sees half a file. Two of these commands at once wait for each other.
struct InstallOptions {
    std::filesystem::path directory;         ///< made where missing (0755)
    std::filesystem::path private_directory; ///< copies for the trial go here
    std::vector<std::string> trial_command;  ///< see CatalogOptions; empty: this program with the argument `plugin-trial`
    std::chrono::milliseconds trial_deadline{5000};
};

/// What came of it.
struct InstallResult {
    std::optional<PluginRefusal> refusal; ///< set: nothing was changed
    std::string plugin;                   ///< the plugin's name
    std::string version;                  ///< of what is in place now; empty after a removal
    std::filesystem::path file;           ///< where it is, or was
    std::string message;                  ///< a sentence for the operator, also where nothing had to be done
};

/// Checks and tries a file wherever it lies, then puts a copy in place. "elsewhere": another file in the directory is that plugin already.
/// @throws PluginEnvironmentError where the directory or the private directory can't be written
InstallResult install_plugin(const std::filesystem::path &file, const InstallOptions &options);

/// Swaps a plugin with its predecessor, which is checked and tried first; after a removal, brings it back. Twice is where it began.
/// "no_previous": there is none.
/// @throws PluginEnvironmentError as above
InstallResult rollback_plugin(const std::string &name, const InstallOptions &options);

/// Takes a plugin out of the directory and keeps it for `rollback`. "not_installed": there is none of that name;
/// "elsewhere": it was put there under another file name, by other means.
/// @throws PluginEnvironmentError as above
InstallResult remove_plugin(const std::string &name, const InstallOptions &options);

} // namespace weir::plugin
