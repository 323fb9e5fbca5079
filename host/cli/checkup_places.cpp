// SPDX-License-Identifier: Apache-2.0
#include "checkup.hpp"
#include "host_access.hpp"
#include "output.hpp"
#include "serving.hpp"

#include "broker/embedded/embedded_broker.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace weir::cli {

namespace {

namespace fs = std::filesystem;

struct Place {
    const char *name; ///< of the finding
    const char *key;  ///< what to change
    fs::path directory;
    bool runs_plugins = false;
    bool holds_databases = false;
};

/// SQLite's write-ahead log needs memory shared between processes, which file systems over a network don't give. [statfs(2)]
const char *network_name(const fs::path &path) {
    struct statfs about {};
    if (statfs(path.c_str(), &about) != 0) {
        return nullptr;
    }
    switch (static_cast<unsigned long>(about.f_type)) {
    case 0x6969:
        return "NFS";
    case 0xFF534D42:
    case 0xFE534D42:
    case 0x517B:
        return "SMB";
    case 0x01021997:
        return "9P";
    case 0x00C36400:
        return "Ceph";
    default:
        return nullptr;
    }
}

Finding space(const Place &place, const struct statvfs &about) {
    constexpr std::uint64_t kLeast = 100u << 20;
    constexpr std::uint64_t kComfortable = 1024u << 20;
    const std::uint64_t bytes = std::uint64_t{about.f_bavail} * about.f_frsize;
    Finding finding{std::string(place.name) + "_space", Health::good,
                    counted(bytes >> 20, "MiB", "MiB") + " free for " + place.directory.string(), ""};
    if (about.f_files > 0 && about.f_favail < 100) {
        return {finding.name, Health::fault,
                "hardly a file can be made at " + place.directory.string() + ": the file system is out of inodes",
                std::string("remove files there, or name another place: ") + place.key};
    }
    if (bytes < kComfortable) {
        finding.health = bytes < kLeast ? Health::fault : Health::warning;
        finding.remedy = std::string("make room, or name another place: ") + place.key;
    }
    return finding;
}

Finding check_directory(const Place &place) {
    const std::string remedy = std::string("make it a directory that this user may write, or name another: ") + place.key;
    const fs::path existing = nearest_existing(place.directory);
    const auto fault = [&](const std::string &what) { return Finding{place.name, Health::fault, what, remedy}; };
    struct stat about {};
    if (stat(existing.c_str(), &about) != 0) {
        return fault(existing.string() + " can't be looked at: " + std::strerror(errno));
    }
    if (!S_ISDIR(about.st_mode)) {
        return fault(existing.string() + " is not a directory" +
                     (existing == place.directory ? "" : ", so " + place.directory.string() + " can't be made"));
    }
    if (euidaccess(existing.c_str(), W_OK | X_OK) != 0) {
        return fault(existing.string() + " can't be written: " + std::strerror(errno));
    }
    if (existing == fs::absolute(place.directory) && (about.st_mode & S_IWOTH) != 0) {
        return {place.name, Health::fault, existing.string() + " may be written by everybody", "chmod o-w " + existing.string()};
    }
    struct statvfs mount {};
    if (statvfs(existing.c_str(), &mount) == 0 && place.runs_plugins && (mount.f_flag & ST_NOEXEC) != 0) {
        return {place.name, Health::fault, existing.string() + " is mounted noexec: copies of plugins can't be loaded from it",
                std::string("mount it with exec, or name another place: ") + place.key};
    }
    if (const char *network = place.holds_databases ? network_name(existing) : nullptr) {
        return {place.name, Health::fault,
                existing.string() + " is on a network file system (" + network + "), on which SQLite's log can't be shared",
                std::string("name a place on a local disk: ") + place.key};
    }
    return {place.name, Health::good,
            place.directory.string() + (existing == fs::absolute(place.directory) ? " can be written" : " can be made"), ""};
}

} // namespace

std::filesystem::path nearest_existing(std::filesystem::path path) {
    std::error_code failure;
    path = fs::absolute(path, failure);
    while (!fs::exists(fs::symlink_status(path, failure)) && path.has_parent_path() && path != path.parent_path()) {
        path = path.parent_path();
    }
    return path;
}

std::vector<Finding> check_places(const config::HostConfig &config) {
    std::vector<Place> places{{"state_directory", "state_directory (WEIR_STATE_DIRECTORY)", config.state_directory, true, false}};
    broker::EmbeddedOptions broker;
    if (!broker::parse_embedded_url(config.broker_url, broker)) {
        places.push_back({"broker_directory", "broker.url (WEIR_BROKER_URL)", fs::absolute(broker.file).parent_path(), false, true});
    }
    std::string reason;
    if (const auto store = store::sqlite::parse_sqlite_url(config.store_url, reason)) {
        places.push_back({"store_directory", "store.url (WEIR_STORE_URL)", fs::absolute(store->directory), false, true});
    }
    std::vector<Finding> findings;
    for (const Place &place : places) {
        findings.push_back(check_directory(place));
        struct statvfs about {};
        if (statvfs(nearest_existing(place.directory).c_str(), &about) == 0) {
            findings.push_back(space(place, about));
        }
    }
    return findings;
}

std::vector<Finding> check_plugins(const config::HostConfig &config, const Context &context) {
    std::vector<Finding> findings;
    std::error_code failure;
    constexpr const char *kKey = "plugins.directory (WEIR_PLUGINS_DIRECTORY)";
    if (!fs::is_directory(config.plugins_directory, failure)) {
        return {{"plugins_directory", Health::fault, config.plugins_directory.string() + " is not there, or not a directory",
                 std::string("make it, or name another: ") + kKey}};
    }
    if ((fs::status(config.plugins_directory, failure).permissions() & fs::perms::others_write) != fs::perms::none) {
        findings.push_back({"plugins_directory", Health::fault,
                            config.plugins_directory.string() + " may be written by everybody, who could run code here",
                            "chmod o-w " + config.plugins_directory.string()});
    }
    const Serving serving = find_serving(config, context, load_contracts(config));
    for (const plugin::PluginRefusal &refusal : serving.refused) {
        findings.push_back(
            {"plugin_refused", Health::fault, refusal.file.string() + " (" + refusal.code + "): " + refusal.message, refusal.remedy});
    }
    for (const auto &[domain, reason] : serving.unserved) {
        findings.push_back({"domain_unserved", Health::fault, domain + ": " + reason, "'weir config check' shows what is in effect"});
    }
    if (serving.modules.empty()) {
        findings.push_back(
            {"plugins", Health::warning, "no plugin lies in " + config.plugins_directory.string(), "weir plugin install FILE"});
    } else {
        findings.push_back({"plugins", Health::good,
                            counted(serving.modules.size(), "plugin", "plugins") + " can be loaded, " +
                                counted(serving.domains.size(), "domain", "domains") + " would be served",
                            ""});
    }
    return findings;
}

} // namespace weir::cli
