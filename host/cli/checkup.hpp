// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/command.hpp"
#include "config/config.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::cli {

enum class Health : std::uint8_t { good, warning, fault };

/// One thing that `weir doctor` looked at.
struct Finding {
    std::string name; ///< snake_case, stable: "disk_space"
    Health health = Health::good;
    std::string what;
    std::string remedy; ///< empty where nothing is to be done
};

/// What the process and the machine give, whatever the configuration: open files, inotify, the clock, the user.
std::vector<Finding> check_machine();

/// The directories that the configuration names: there, ours, writable, with space, on a file system that fits.
std::vector<Finding> check_places(const config::HostConfig &config);

/// Whether broker and store work where they are to be: a message and a table are written beside them and removed again.
std::vector<Finding> check_databases(const config::HostConfig &config);

/// Whether each plugin would be taken, and whether each domain would be served.
std::vector<Finding> check_plugins(const config::HostConfig &config, const Context &context);

} // namespace weir::cli
