// SPDX-License-Identifier: Apache-2.0
#include "holders.hpp"

#include "event/uuid.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::store::sqlite {

namespace {

constexpr std::string_view kSuffix = ".alive";

bool is_plain(const std::string &name) {
    return !name.empty() && name.size() <= 100 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
}

/// Whether the path still leads to the file that is open: its owner, or whoever swept it, may have removed it in between.
bool is_same_file(int descriptor, const std::filesystem::path &path) {
    struct stat opened {};
    struct stat named {};
    return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

} // namespace

Holders::Holders(std::filesystem::path store_directory, std::string schema)
    : directory_(std::move(store_directory) / ".holders"), schema_(std::move(schema)) {}

Holders::~Holders() {
    for (const auto &[holder, descriptor] : kept_) {
        const auto file = file_of(holder);
        if (is_same_file(descriptor, file)) { // else another's by now, as after a fork
            ::unlink(file.c_str());
        }
        ::close(descriptor);
    }
}

std::filesystem::path Holders::file_of(const std::string &holder) const {
    const std::string name = is_plain(holder) ? holder : event::Uuid::v5(event::weir_namespace(), holder).text();
    return directory_ / (schema_ + "." + name + std::string(kSuffix));
}

void Holders::keep_alive(const std::string &holder) {
    const std::lock_guard lock(mutex_);
    const auto file = file_of(holder);
    if (const auto found = kept_.find(holder); found != kept_.end()) {
        if (is_same_file(found->second, file)) {
            return;
        }
        ::close(found->second); // somebody removed it
        kept_.erase(found);
    }
    ::mkdir(directory_.c_str(), 0700);
    for (int attempt = 0; attempt < 3; ++attempt) {
        const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (descriptor < 0) {
            return; // expiry decides
        }
        if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && is_same_file(descriptor, file)) {
            kept_.emplace(holder, descriptor);
            return;
        }
        ::close(descriptor);
    }
}

bool Holders::is_gone(const std::string &holder) {
    const std::lock_guard lock(mutex_);
    if (kept_.contains(holder)) {
        return false;
    }
    const int descriptor = ::open(file_of(holder).c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    const bool gone = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    ::close(descriptor);
    return gone;
}

void Holders::sweep(const std::set<std::string> &named) {
    const std::lock_guard lock(mutex_);
    std::set<std::filesystem::path> needed;
    for (const std::string &holder : named) {
        needed.insert(file_of(holder));
    }
    for (const auto &[holder, descriptor] : kept_) {
        needed.insert(file_of(holder));
    }
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (!name.starts_with(schema_ + ".") || !name.ends_with(kSuffix) || needed.contains(entry->path())) {
            continue;
        }
        const int descriptor = ::open(entry->path().c_str(), O_RDWR | O_CLOEXEC);
        if (descriptor < 0) {
            continue;
        }
        if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && is_same_file(descriptor, entry->path())) {
            ::unlink(entry->path().c_str());
        }
        ::close(descriptor);
    }
}

} // namespace weir::store::sqlite
