// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace weir::cli {

/// Whether every domain that is to be served is ready; those that have left don't count.
bool all_ready(const std::vector<engine::DomainStatus> &domains);

/// The state of a host's domains as JSON:
/// {"pid","time","ready","domains":[{"domain","plugin","version","generation","phase","ready","reason","partitions",
/// "held","overdue_handlers","counts":{...}}]}. One line.
std::string status_json(const std::vector<engine::DomainStatus> &domains);

/// The same, readable: a table of final counts, a line a domain.
std::string counts_table(const std::vector<engine::DomainStatus> &domains);

/// Writes `status.json` into the state directory, at once or not at all. Failures are ignored: the file only tells.
void write_status(const std::filesystem::path &state_directory, const std::vector<engine::DomainStatus> &domains);
void remove_status(const std::filesystem::path &state_directory);

} // namespace weir::cli
