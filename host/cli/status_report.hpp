// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain.hpp"
#include "plugin/catalog.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace weir::cli {

/// Whether every domain that is to be served is ready; those that have left don't count.
bool all_ready(const std::vector<engine::DomainStatus> &domains);

/// A file of the plugin directory that this host doesn't take.
using RefusedPlugins = std::map<std::string, plugin::PluginRefusal>; ///< by file

/// The state of a host's domains as JSON:
/// {"pid","time","ready","domains":[{"domain","plugin","version","generation","phase","ready","reason","refused","partitions",
/// "held","overdue_handlers","counts":{...}}],"refused_plugins":[{"file","code","message","remedy"}]}. One line.
std::string status_json(const std::vector<engine::DomainStatus> &domains, const RefusedPlugins &refused = {});

/// The same, readable: a table of final counts, a line a domain.
std::string counts_table(const std::vector<engine::DomainStatus> &domains);

/**
 * Where a running host tells how it is, for `weir status`: `status.json` in the state directory, replaced whole each time. Of several hosts
 * on one directory the first has that name, the others `status-<pid>.json`. Failures are ignored: the file only tells. Gone with this
 * object.
 */
class StatusFile {
public:
    explicit StatusFile(const std::filesystem::path &state_directory);
    ~StatusFile();
    StatusFile(const StatusFile &) = delete;
    StatusFile &operator=(const StatusFile &) = delete;
    void write(const std::string &json) const;

private:
    std::filesystem::path file_;
    int lock_ = -1; ///< held while `status.json` is ours
};

/// The files in which hosts on this directory tell, those of hosts that are gone included; `status.json` first.
std::vector<std::filesystem::path> status_files(const std::filesystem::path &state_directory);

} // namespace weir::cli
