// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/catalog.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace weir::plugin {

/// Loads a file in this process, which exists only for that, and tells its parent through file descriptor 3 how it went: what the weir
/// binary does for its hidden command `plugin-trial FILE`. A constructor that crashes, exits or never returns does so here and not in the
/// host.
/// @return the process's exit status; it should leave with std::_Exit, so that no destructor of the plugin runs
int trial_main(const std::filesystem::path &file);

/// What a trial said of a plugin that can be loaded.
struct TrialReport {
    std::string name;
    std::string version;
};

/// Runs `command` with the file's path appended and waits for what it tells. Executes a new program instead of only forking, because a
/// fork of a process with threads may use hardly anything. "crashes_on_load", "hangs_on_load", "trial_failed", or what the trial itself
/// refused.
/// @param origin the file that messages speak of
std::optional<PluginRefusal> run_trial(const std::vector<std::string> &command, const std::filesystem::path &copy,
                                       const std::filesystem::path &origin, std::chrono::milliseconds deadline, TrialReport &out);

} // namespace weir::plugin
