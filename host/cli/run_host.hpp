// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "command.hpp"

#include "broker/broker.hpp"
#include "config/config.hpp"
#include "store/store.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

struct RunOptions {
    std::filesystem::path config_file;
    bool until_drained = false;
    std::optional<std::chrono::milliseconds> drain_timeout; ///< with until_drained: how long to wait for it
    std::optional<std::int64_t> max_events;
    bool json = false; ///< final counts as JSON
};

/// Serves until a signal, until drained, or until so many events; prints the final counts.
/// @param broker, store made from the configuration by the caller
/// @param trial_command see plugin::CatalogOptions
Exit run_host(const RunOptions &options, config::Loaded loaded, broker::Broker &broker, store::Store &store,
              std::vector<std::string> trial_command);

} // namespace weir::cli
