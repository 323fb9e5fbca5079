// SPDX-License-Identifier: Apache-2.0
#include "plugin/watched_file.hpp"

#include <cerrno>

namespace weir::plugin {

Presence look_at(const std::filesystem::path &file, Look &out) {
    struct stat status {};
    if (stat(file.c_str(), &status) != 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? Presence::absent : Presence::unknown;
    }
    const auto nanoseconds = [](const timespec &time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
    out = {status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
    return Presence::present;
}

} // namespace weir::plugin
