// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends.hpp"
#include "command.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

struct RunOptions {
    std::filesystem::path config_file;
    bool until_drained = false;
    std::optional<std::chrono::milliseconds> drain_timeout; ///< with until_drained: how long to wait for it
    std::optional<std::int64_t> max_events;
    bool fail_fast = false; ///< end where a domain can't begin, instead of waiting until it can
    bool json = false;      ///< final counts as JSON
};

/// Serves until a signal, until drained, or until so many events; prints the final counts. With `fail_fast` also until a domain says that
/// it can't begin, before all were ready for the first time.
/// @param brokers, store made from the configuration by the caller; brokers by url
/// @param trial_command see plugin::CatalogOptions
Exit run_host(const RunOptions &options, config::Loaded loaded, const Brokers &brokers, store::Store &store,
              std::vector<std::string> trial_command);

} // namespace weir::cli
