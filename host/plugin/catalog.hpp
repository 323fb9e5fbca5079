// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/module.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
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

/// The place that private copies need can't be used; the message names it and the key to change. Thrown by `Catalog::start` only.
class PluginEnvironmentError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct CatalogOptions {
    std::filesystem::path directory;              ///< watched for `*.so`
    std::filesystem::path private_directory;      ///< copies of generations go here; 0700, made where missing
    std::chrono::milliseconds poll_interval{200}; ///< also where inotify works, as a net
    bool use_inotify = true;
    std::vector<std::string> known_event_types; ///< two of them on one symbol refuse the plugin
    /// A program and its first arguments, run with the path of a copy appended before the host loads it: it calls `trial_main` (see
    /// trial.hpp), so that a plugin which crashes or hangs while it is loaded does so there. Empty: no trial.
    std::vector<std::string> trial_command;
    std::chrono::milliseconds trial_deadline{2000};
};

/// What happens in the plugin directory, told on the catalog's thread (during `start` on its caller's), one at a time. A listener returns
/// soon: while it runs, nobody watches. The catalog logs none of this itself.
struct CatalogListener {
    std::function<void(std::shared_ptr<const Module>)> loaded;   ///< a first or a next generation of `description().name`
    std::function<void(const std::string &plugin_name)> removed; ///< its file is gone
    std::function<void(const PluginRefusal &)> refused;          ///< said once for each content of a file
};

/// Watches a directory, checks, copies and loads what lies there. Never loads a file that is still being written.
class Catalog {
public:
    Catalog(CatalogOptions options, CatalogListener listener);
    ~Catalog(); ///< stops watching; modules stay mapped

    /// Loads what is there now, on the calling thread, then begins to watch. A file that is just being written is left to the watching.
    /// @throws PluginEnvironmentError where `private_directory` can't be used; a missing `directory` is waited for
    void start();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The pre-load check alone, without running any code of the file. Nothing where it may be loaded.
std::optional<PluginRefusal> check_file(const std::filesystem::path &file);

/// How a single file is loaded; see CatalogOptions for each.
struct LoadOptions {
    std::filesystem::path private_directory;
    std::vector<std::string> known_event_types;
    std::vector<std::string> trial_command;
    std::chrono::milliseconds trial_deadline{2000};
};

/// Checks, copies and loads one file, for `weir plugin inspect|check`. Sets `refusal` and returns null where it can't be.
std::shared_ptr<const Module> load_file(const std::filesystem::path &file, const LoadOptions &options, PluginRefusal &refusal);

/// The same without a trial.
std::shared_ptr<const Module> load_file(const std::filesystem::path &file, const std::filesystem::path &private_directory,
                                        const std::vector<std::string> &known_event_types, PluginRefusal &refusal);

} // namespace weir::plugin
