// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/module.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::plugin {

/// A file that can't be a plugin here: what is wrong, and what to do about it.
struct PluginRefusal {
    std::filesystem::path file;
    std::string code;    ///< snake_case, stable: "not_elf", "wrong_architecture", "no_entry", "newer_abi", "writable_by_others", ...
    std::string message; ///< what is wrong
    std::string remedy;  ///< what to do
};

struct CatalogOptions {
    std::filesystem::path directory;         ///< watched for `*.so`
    std::filesystem::path private_directory; ///< copies of generations go here; 0700, made where missing
    std::chrono::milliseconds poll_interval{200}; ///< also where inotify works, as a net
    bool use_inotify = true;
    std::vector<std::string> known_event_types; ///< two of them on one symbol refuse the plugin
};

/// What happens in the plugin directory, told on the catalog's thread, one at a time. A listener returns soon.
struct CatalogListener {
    std::function<void(std::shared_ptr<const Module>)> loaded;      ///< a first or a next generation of `description().name`
    std::function<void(const std::string &plugin_name)> removed;    ///< its file is gone
    std::function<void(const PluginRefusal &)> refused;             ///< said once for each content of a file
};

/// Watches a directory, checks, copies and loads what lies there. Never loads a file that is still being written.
class Catalog {
public:
    Catalog(CatalogOptions options, CatalogListener listener);
    ~Catalog(); ///< stops watching; modules stay mapped

    /// Loads what is there now, on the calling thread, then begins to watch.
    void start();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The pre-load check alone, without running any code of the file. Nothing where it may be loaded.
std::optional<PluginRefusal> check_file(const std::filesystem::path &file);

/// Checks, copies and loads one file, for `weir plugin inspect|check`. Sets `refusal` and returns null where it can't be.
std::shared_ptr<const Module> load_file(const std::filesystem::path &file, const std::filesystem::path &private_directory, const std::vector<std::string> &known_event_types, PluginRefusal &refusal);

} // namespace weir::plugin
