// SPDX-License-Identifier: Apache-2.0
#include "plugin/file_write.hpp"

#include "plugin/owned_descriptor.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::plugin {

namespace {

int write_all(int descriptor, std::span<const std::byte> bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count < 0 ? errno : EIO;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return 0;
}

} // namespace

int write_new_file(const std::filesystem::path &path, std::span<const std::byte> bytes, mode_t mode, Durability durability) noexcept {
    const OwnedDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) {
        return errno;
    }
    int error = write_all(file.get(), bytes);
    if (error == 0 && (fchmod(file.get(), mode) != 0 || (durability == Durability::synced && fsync(file.get()) != 0))) {
        error = errno;
    }
    if (error != 0) {
        unlink(path.c_str());
    }
    return error;
}

int sync_directory(const std::filesystem::path &directory) noexcept {
    const OwnedDescriptor descriptor(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return descriptor && fsync(descriptor.get()) == 0 ? 0 : errno;
}

} // namespace weir::plugin
