// SPDX-License-Identifier: Apache-2.0
#include "plugin/permissions.hpp"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::plugin {

namespace {

std::optional<PluginRefusal> check_one(const std::filesystem::path &file, const std::filesystem::path &path, bool is_directory) {
    const std::string what = is_directory ? "its directory " + path.string() : "it";
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) {
        return PluginRefusal{file, "unreadable", what + " cannot be examined: " + std::generic_category().message(errno),
                             "give this process's user access to " + path.string()};
    }
    if (status.st_uid != 0 && status.st_uid != geteuid()) {
        return PluginRefusal{
            file, "foreign_owner", what + " belongs to user " + std::to_string(status.st_uid) + ", who could change it at any time",
            "chown it to root or to the user of this process: chown " + std::to_string(geteuid()) + " '" + path.string() + "'"};
    }
    const bool others = (status.st_mode & S_IWOTH) != 0;
    const bool group = (status.st_mode & S_IWGRP) != 0 && status.st_gid != getegid();
    if (others || group) {
        return PluginRefusal{
            file, "writable_by_others",
            what + (others ? " can be written by every user of this machine" : " can be written by group " + std::to_string(status.st_gid)),
            "take the right away: chmod " + std::string(others ? "go-w" : "g-w") + " '" + path.string() + "'"};
    }
    return std::nullopt;
}

} // namespace

std::optional<PluginRefusal> check_permissions(const std::filesystem::path &file, const std::filesystem::path &resolved) {
    std::error_code ignored;
    const std::filesystem::path named_in = std::filesystem::absolute(file, ignored).parent_path();
    if (auto refusal = check_one(file, file, false)) {
        return refusal;
    }
    if (auto refusal = check_one(file, named_in, true)) {
        return refusal;
    }
    if (resolved.empty() || resolved.parent_path() == named_in) {
        return std::nullopt;
    }
    return check_one(file, resolved.parent_path(), true);
}

} // namespace weir::plugin
