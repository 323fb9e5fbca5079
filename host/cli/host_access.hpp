// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/config.hpp"
#include "event/contracts.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace weir::cli {

/// Adds `-c, --config FILE`.
void add_config_option(CLI::App &command, std::string &file);

/// Reads and checks the configuration. An empty file name: defaults and variables alone. Problems are printed to standard error, one a
/// line, and thrown as one Failure of Exit::configuration.
config::Loaded load_config(const std::string &file);

/// The same for a service: sets up the log as configured, as far as that can be read. Where it is JSON lines, problems are lines of it.
config::Loaded load_config_and_log(const std::string &file);

/// Sets up the log for warnings and errors, for as long as no configuration is read: WEIR_LOG_FORMAT says in which form.
void configure_log_by_environment();

/// Why there can be no plugin, naming plugins.directory: it isn't there, or is no directory. Nothing: it may hold some, now or later.
std::optional<std::string> plugins_directory_problem(const config::HostConfig &config);
/// Whether somebody has set the key, rather than left it to its default.
bool is_configured(const config::Loaded &loaded, const std::string &key);

/// The built-in contracts, and those of `contracts_directory`.
event::Contracts load_contracts(const config::HostConfig &config);

} // namespace weir::cli
