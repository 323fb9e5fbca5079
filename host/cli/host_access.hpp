// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/config.hpp"
#include "event/contracts.hpp"

#include <filesystem>
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

/// The built-in contracts, and those of `contracts_directory`.
event::Contracts load_contracts(const config::HostConfig &config);

} // namespace weir::cli
