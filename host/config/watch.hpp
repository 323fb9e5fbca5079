// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/config.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace weir::config {

struct WatchOptions {
    std::filesystem::path host_file;
    std::map<std::string, std::string> environment;
    std::chrono::milliseconds interval{500}; ///< between two looks; a change is told after two looks that saw the same
};

/**
 * Watches the host file and the domain directory that it names, by their contents: however they are changed (written in place, renamed
 * over, a link that is swapped as config maps do) and on any file system.
 *
 * When the contents have changed and settled, everything is loaded anew and told, right or wrong: the caller takes it over where `problems`
 * is empty and keeps what it has otherwise. Contents that change back before they settled are not told.
 */
class Watch {
public:
    /// @param changed called on the watch's own thread, one call at a time; must not throw and not destroy the watch
    /// @param current what the caller runs with; a file that has changed since it was loaded is told as well, if `load` would read
    /// something else
    Watch(WatchOptions options, const Loaded &current, std::function<void(Loaded)> changed);
    ~Watch(); ///< returns when no call is running
    Watch(const Watch &) = delete;
    Watch &operator=(const Watch &) = delete;

    /// Looks now, and tells even where nothing has changed: "reload", as on SIGHUP. Any thread; returns at once.
    void reload();

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace weir::config
