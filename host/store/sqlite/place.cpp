// SPDX-License-Identifier: Apache-2.0
#include "place.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::store::sqlite {

namespace {

class Descriptor {
public:
    explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
    ~Descriptor() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;
    int get() const noexcept { return descriptor_; }

private:
    int descriptor_;
};

[[noreturn]] void cannot(const Place &place, const std::string &what, int error) {
    throw Unavailable(place.name() + ": " + what + ": " + std::strerror(error) +
                      "; see that store.url (WEIR_STORE_URL) names the right directory, and that the user that runs Weir may write there");
}

void refuse_if_writable_by_others(const Place &place, const std::filesystem::path &path, const struct stat &status) {
    if ((status.st_mode & S_IWOTH) != 0) {
        throw SchemaWrong(place.name() + ": " + path.string() +
                          " is writable by every user of this machine, so that anybody could change what is stored: run `chmod o-w " +
                          path.string() + "`");
    }
}

void make_directory(const Place &place) {
    const auto &directory = place.options.directory;
    std::error_code error;
    if (directory.has_parent_path()) {
        std::filesystem::create_directories(directory.parent_path(), error); // what is wrong with it shows below
    }
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        cannot(place, "the directory can't be made", errno);
    }
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) {
        cannot(place, "the directory can't be read", errno);
    }
    if (!S_ISDIR(status.st_mode)) {
        cannot(place, "it is no directory", ENOTDIR);
    }
    refuse_if_writable_by_others(place, directory, status);
}

} // namespace

void prepare_file(const Place &place) {
    if (place.schema == "main" || place.schema == "temp") {
        throw SchemaWrong("a schema can't be called '" + place.schema + "' in SQLite: choose another service.schema for the domain");
    }
    make_directory(place);
    const Descriptor made(::open(place.file().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (made.get() < 0 && errno != EEXIST) {
        cannot(place, "the file can't be made", errno);
    }
    struct stat status {};
    if (::stat(place.file().c_str(), &status) != 0) {
        cannot(place, "the file can't be read", errno);
    }
    refuse_if_writable_by_others(place, place.file(), status);
}

SetupLock::SetupLock(const Place &place) {
    const std::string path = (place.options.directory / ".setup.lock").string();
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor_ < 0) {
        cannot(place, "the file .setup.lock can't be made", errno);
    }
    while (::flock(descriptor_, LOCK_EX) != 0) {
        if (errno != EINTR) {
            return; // a file system without flock: SQLite's own locks have to do
        }
    }
}

SetupLock::~SetupLock() { ::close(descriptor_); }

} // namespace weir::store::sqlite
