// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace weir::config {

namespace {

constexpr std::size_t kLargestFile = 4u << 20;

/// Why a path must not be trusted. Everybody's write permission is no harm where the mount is read-only, as config maps are.
std::string writable_by_everybody(const std::filesystem::path &path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || (status.st_mode & S_IWOTH) == 0) {
        return {};
    }
    struct statvfs volume {};
    if (::statvfs(path.c_str(), &volume) == 0 && (volume.f_flag & ST_RDONLY) != 0) {
        return {};
    }
    return "everybody on this machine may write to it, and it decides which code runs: chmod o-w " + path.string();
}

bool names_domain_file(const std::filesystem::path &file) {
    const std::string name = file.filename().string();
    return name.ends_with(".json") && !name.starts_with("."); // not "..data" of a config map, not an editor's copies
}

} // namespace

FileText read_text(const std::filesystem::path &file) {
    FileText out{file, {}, {}};
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        out.failure = errno == ENOENT ? "there is no such file: check the path" : std::string("cannot be read: ") + std::strerror(errno);
        return out;
    }
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        out.failure = "is no regular file: name a file of JSON";
    }
    char buffer[1 << 16];
    while (out.failure.empty()) {
        const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            out.failure = std::string("cannot be read: ") + std::strerror(errno);
        } else if (count == 0) {
            break;
        } else if (out.text.append(buffer, static_cast<std::size_t>(count)).size() > kLargestFile) {
            out.failure = "is longer than 4 MiB: is it the right file?";
        }
    }
    ::close(descriptor);
    if (out.failure.empty()) {
        out.failure = writable_by_everybody(file);
    }
    return out;
}

DomainFiles read_domain_files(const std::filesystem::path &directory) {
    DomainFiles out;
    std::error_code failure;
    std::vector<std::filesystem::path> names;
    std::filesystem::directory_iterator entry(directory, failure);
    while (!failure && entry != std::filesystem::directory_iterator()) {
        if (names_domain_file(entry->path())) {
            names.push_back(entry->path());
        }
        entry.increment(failure);
    }
    out.failure = failure ? "cannot be read (" + failure.message() + "): make it, or correct domains_directory (WEIR_DOMAINS_DIRECTORY)"
                          : writable_by_everybody(directory);
    if (out.failure.empty()) {
        std::sort(names.begin(), names.end());
        for (const std::filesystem::path &name : names) {
            out.files.push_back(read_text(name));
        }
    }
    return out;
}

void Fingerprint::add(std::string_view bytes) {
    const auto take = [this](unsigned char byte) { hash_ = (hash_ ^ byte) * 1099511628211u; };
    for (std::size_t size = bytes.size(), i = 0; i < sizeof size; ++i) {
        take(static_cast<unsigned char>(size >> (8 * i))); // so that parts can't run into each other
    }
    for (const char c : bytes) {
        take(static_cast<unsigned char>(c));
    }
}

void Fingerprint::add(const FileText &file) {
    add(file.file.native());
    add(file.failure);
    add(file.text);
}

void Fingerprint::add(const DomainFiles &files) {
    add(files.failure);
    for (const FileText &file : files.files) {
        add(file);
    }
}

} // namespace weir::config
