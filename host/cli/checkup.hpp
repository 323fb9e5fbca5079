// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/command.hpp"
#include "config/config.hpp"
#include "health/finding.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace weir::cli {

using health::Finding;
using health::Health;

/// What the process and the machine give, whatever the configuration: open files, inotify, the clock, the user.
std::vector<Finding> check_machine();

/// The directory itself or, where it isn't there yet, the one in which it would be made.
std::filesystem::path nearest_existing(std::filesystem::path path);

/// The directories that the configuration names: there, ours, writable, with space, on a file system that fits.
std::vector<Finding> check_places(const config::HostConfig &config);

/// Whether broker and store work where they are to be: files get a message and a table written beside them, which are removed again;
/// servers are asked for what Weir needs of them, and nothing is changed there.
std::vector<Finding> check_databases(const config::HostConfig &config, const Context &context);

/// Whether each plugin would be taken, and whether each domain would be served.
std::vector<Finding> check_plugins(const config::HostConfig &config, const Context &context);

} // namespace weir::cli
