// SPDX-License-Identifier: Apache-2.0
#include "plugin/private_directory.hpp"

#include "plugin/catalog.hpp"
#include "plugin/file_write.hpp"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <random>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::plugin {

namespace {

namespace fs = std::filesystem;

constexpr const char *kLockName = ".lock";

[[noreturn]] void fail(const fs::path &path, const std::string &what, const std::string &remedy = "change state_directory") {
    throw PluginEnvironmentError("the directory for private copies of plugins, " + path.string() + ", " + what + "; " + remedy);
}

/// What whoever was refused for want of rights can do: often a command that another user ran has made it.
std::string remedy_for(int error, const fs::path &path) {
    if (error != EACCES && error != EPERM) {
        return "change state_directory";
    }
    return "have " + path.parent_path().string() + " belong to the user that runs Weir (chown -R USER), or change state_directory";
}

} // namespace

std::shared_ptr<PrivateDirectory> PrivateDirectory::of(const fs::path &directory) {
    // Kept for the life of the process, as the code is that was loaded from it.
    static std::mutex mutex;
    static std::map<fs::path, std::shared_ptr<PrivateDirectory>> all;
    const std::lock_guard guard(mutex);
    const fs::path key = fs::absolute(directory).lexically_normal();
    auto &slot = all[key];
    std::error_code ignored;
    if (!slot || slot->owner_process_ != getpid() || !fs::exists(slot->own_, ignored)) {
        slot = std::shared_ptr<PrivateDirectory>(new PrivateDirectory(key));
    }
    return slot;
}

PrivateDirectory::PrivateDirectory(const fs::path &directory) : directory_(directory), owner_process_(getpid()) {
    std::error_code error;
    fs::create_directories(directory_.parent_path(), error);
    if (mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) {
        const int why = errno;
        fail(directory_, "cannot be made: " + std::generic_category().message(why), remedy_for(why, directory_));
    }
    struct stat status {};
    if (stat(directory_.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
        fail(directory_, "is not a directory");
    }
    if (status.st_uid != geteuid()) {
        fail(directory_, "belongs to another user", remedy_for(EPERM, directory_));
    }
    if ((status.st_mode & 077) != 0 && chmod(directory_.c_str(), 0700) != 0) {
        fail(directory_, "is open to others and cannot be closed: " + std::generic_category().message(errno));
    }
    remove_stale();
    for (int attempt = 0; attempt < 100; ++attempt) {
        if (claim()) {
            return;
        }
    }
    fail(directory_, "cannot be locked");
}

/// Makes and locks this process's folder. False where another process's cleaning came in between, which the next attempt evades.
bool PrivateDirectory::claim() {
    static std::atomic<std::uint64_t> salt{std::random_device{}()};
    own_ = directory_ / (std::to_string(getpid()) + "-" + std::to_string(salt++));
    if (mkdir(own_.c_str(), 0700) != 0) {
        if (errno == EEXIST || errno == ENOENT) {
            return false;
        }
        fail(directory_, "cannot be written: " + std::generic_category().message(errno));
    }
    const fs::path lock = own_ / kLockName;
    lock_ = OwnedDescriptor(open(lock.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!lock_ || flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        return false;
    }
    struct stat named {};
    struct stat held {};
    return stat(lock.c_str(), &named) == 0 && fstat(lock_.get(), &held) == 0 && named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

void PrivateDirectory::remove_stale() {
    std::error_code error;
    for (const auto &entry : fs::directory_iterator(directory_, error)) {
        std::error_code ignored;
        if (!entry.is_directory(ignored) || entry.is_symlink(ignored)) {
            continue;
        }
        const OwnedDescriptor lock(open((entry.path() / kLockName).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
        if (lock && flock(lock.get(), LOCK_EX | LOCK_NB) == 0) {
            fs::remove_all(entry.path(), ignored);
        } else if (!lock && errno == ENOENT) {
            // Killed between making the folder and the lock, or just now between the two: only old ones are surely the former.
            const auto age = fs::file_time_type::clock::now() - fs::last_write_time(entry.path(), ignored);
            if (age > std::chrono::minutes(1)) {
                fs::remove_all(entry.path(), ignored);
            }
        }
    }
}

PrivateDirectory::~PrivateDirectory() {
    if (owner_process_ == getpid()) {
        std::error_code ignored;
        fs::remove_all(own_, ignored);
    }
}

fs::path PrivateDirectory::write(const std::string &file_name, std::span<const std::byte> bytes) {
    const fs::path folder = own_ / std::to_string(next_++);
    if (mkdir(folder.c_str(), 0700) != 0) {
        fail(directory_, "cannot be written: " + std::generic_category().message(errno));
    }
    const fs::path copy = folder / file_name;
    if (const int error = write_new_file(copy, bytes, 0500, Durability::none)) {
        discard(copy);
        fail(directory_, "cannot take a copy of " + file_name + ": " + std::generic_category().message(error));
    }
    return copy;
}

void PrivateDirectory::discard(const fs::path &copy) noexcept {
    std::error_code ignored;
    fs::remove_all(copy.parent_path(), ignored);
}

} // namespace weir::plugin
