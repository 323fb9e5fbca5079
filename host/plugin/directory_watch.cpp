// SPDX-License-Identifier: Apache-2.0
#include "plugin/directory_watch.hpp"

#include "log/log.hpp"

#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace weir::plugin {

DirectoryWatch::DirectoryWatch(std::filesystem::path directory, bool use_inotify)
    : directory_(std::move(directory)), stopped_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      inotify_(use_inotify ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1) {
    if (!stopped_) {
        throw std::system_error(errno, std::generic_category(), "eventfd, for watching the plugin directory");
    }
}

void DirectoryWatch::stop() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t ignored = write(stopped_.get(), &one, sizeof(one));
}

/// A directory that was replaced under its name has to be watched anew. @return whether it is watched only from now on, so that something
/// may have been missed
bool DirectoryWatch::follow() {
    struct stat status {};
    const bool there = stat(directory_.c_str(), &status) == 0;
    if (watch_ >= 0 && (!there || status.st_dev != device_ || status.st_ino != inode_)) {
        inotify_rm_watch(inotify_.get(), watch_);
        watch_ = -1;
    }
    if (watch_ >= 0 || !there) {
        return false;
    }
    watch_ = inotify_add_watch(inotify_.get(), directory_.c_str(),
                               IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |
                                   IN_MOVE_SELF | IN_ONLYDIR);
    device_ = status.st_dev;
    inode_ = status.st_ino;
    if (watch_ < 0 && !told_) {
        told_ = true;
        log::warn("plugin.watch_by_polling", "the plugin directory cannot be watched with inotify; it is polled instead",
                  {{"directory", directory_.string()}, {"reason", std::generic_category().message(errno)}});
    }
    return watch_ >= 0;
}

bool DirectoryWatch::wait(std::chrono::milliseconds at_most) {
    if (inotify_ && follow()) {
        at_most = std::chrono::milliseconds(0);
    }
    pollfd waits[] = {{stopped_.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}};
    poll(waits, inotify_ ? 2 : 1, static_cast<int>(at_most.count()));
    // What changed does not matter, only that something did.
    alignas(inotify_event) char buffer[4096];
    while (inotify_ && read(inotify_.get(), buffer, sizeof(buffer)) > 0) {
    }
    return (waits[0].revents & POLLIN) == 0;
}

} // namespace weir::plugin
