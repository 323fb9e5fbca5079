// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "config/config.hpp"
#include "event/contracts.hpp"
#include "store/store.hpp"

#include <filesystem>
#include <memory>
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

/// The broker that a url names; the only place, with `open_store`, that knows which there are.
/// Throws Failure of Exit::configuration for what isn't there (redis, kafka), naming the key, and what the broker throws.
std::unique_ptr<broker::Broker> open_broker(const config::HostConfig &config);

/// The same for commands that only look: null where nothing was ever published, so that a typing error makes no file.
std::unique_ptr<broker::Broker> open_existing_broker(const config::HostConfig &config);

/// What the configured broker keeps through a crash. Makes no file.
std::string broker_guarantee(const config::HostConfig &config);

/// The same for the store.
std::unique_ptr<store::Store> open_store(const config::HostConfig &config);

/// The built-in contracts, and those of `contracts_directory`.
event::Contracts load_contracts(const config::HostConfig &config);

/// Where the running host tells how it is, for `weir status`: `<state_directory>/status.json`, replaced whole each second.
std::filesystem::path status_file(const config::HostConfig &config);

} // namespace weir::cli
