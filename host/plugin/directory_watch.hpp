// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/owned_descriptor.hpp"

#include <chrono>
#include <filesystem>
#include <sys/types.h>

namespace weir::plugin {

/// Waits until something may have changed in a directory. inotify only shortens the wait: it is silent on network file systems and behind
/// symbolic links, so whoever uses this looks for himself each time, and also when nothing was said. One thread, but for `stop`.
class DirectoryWatch {
public:
    DirectoryWatch(std::filesystem::path directory, bool use_inotify);

    /// Returns after a change, or at the latest after `at_most`. @return false where it was stopped
    bool wait(std::chrono::milliseconds at_most);

    /// Ends a wait, now or later. [any thread]
    void stop() noexcept;

private:
    bool follow();

    std::filesystem::path directory_;
    OwnedDescriptor stopped_;
    OwnedDescriptor inotify_;
    int watch_ = -1;
    dev_t device_ = 0;
    ino_t inode_ = 0;
    bool told_ = false;
};

} // namespace weir::plugin
