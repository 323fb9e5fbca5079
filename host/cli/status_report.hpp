// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "missing_topics.hpp"
#include "sampler.hpp"

#include "config/config.hpp"
#include "engine/domain.hpp"
#include "event/time.hpp"
#include "plugin/catalog.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace weir::cli {

/// Whether every domain that is to be served is ready; those that have left don't count.
bool all_ready(const std::vector<engine::DomainStatus> &domains);

/// A file of the plugin directory that this host doesn't take.
using RefusedPlugins = std::map<std::string, plugin::PluginRefusal>; ///< by file

/// What a host tells beside what its domains say of themselves.
struct HostReport {
    event::Micros started = 0; ///< since when the counts count
    std::string lock;          ///< see StatusFile::lock_name
    RefusedPlugins refused_plugins;
    std::vector<config::Problem> refused_configuration;
    std::map<std::string, std::vector<MissingTopic>> missing_topics; ///< by domain
    std::set<std::string> disabled;                                  ///< domains that the configuration switches off
    std::shared_ptr<const Samples> samples;                          ///< what brokers and store said; null: not asked
};

/// The state of a host's domains as JSON, one line:
/// {"pid","started","time","lock","ready","domains":[{"domain","plugin","version","generation","phase","ready","reason","refused",
/// "partitions","missing_topics":[{"topic","remedy"}],"held","overdue_handlers","overdue_routes",
/// "lag","unacknowledged","topics":[{"topic","lag","unacknowledged"}],"dead_letters_pending","sample_age_ms","counts":{...}}],
/// "disabled":["domain"],"refused_plugins":[{"file","code","message","remedy"}],"refused_configuration":[{"where","reason"}]}.
/// `counts` are this process's since `started`; lag, unacknowledged and dead_letters_pending the domain's, whoever serves it, as they were
/// `sample_age_ms` before `time`, and null where that isn't known.
std::string status_json(const std::vector<engine::DomainStatus> &domains, const HostReport &report);

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

    /// The file in the state directory whose lock is held while this host lives; empty where none could be had.
    std::string lock_name() const;

private:
    bool take_lock();

    std::filesystem::path file_;
    std::filesystem::path lock_file_;
    int lock_ = -1;
};

/// Whether nobody holds the lock of that name any more: the host that told of it has ended, however. False also where it can't be asked.
bool is_let_go(const std::filesystem::path &lock_file);

/// The files in which hosts on this directory tell, those of hosts that are gone included; `status.json` first.
std::vector<std::filesystem::path> status_files(const std::filesystem::path &state_directory);

} // namespace weir::cli
