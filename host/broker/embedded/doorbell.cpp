// SPDX-License-Identifier: Apache-2.0
#include "doorbell.hpp"

#include "broker/broker.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace weir::broker::embedded {

Doorbell::Listener::Listener(const std::filesystem::path &file) : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (event_ < 0) {
        throw Unavailable(std::string("the embedded broker got no event descriptor (") + std::strerror(errno) +
                          "); raise the limit of open files");
    }
    inotify_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (inotify_ >= 0 && inotify_add_watch(inotify_, file.c_str(), IN_MODIFY) < 0) {
        close(inotify_);
        inotify_ = -1;
    }
}

Doorbell::Listener::~Listener() {
    close(event_);
    if (inotify_ >= 0) {
        close(inotify_);
    }
}

void Doorbell::Listener::wait_until(std::chrono::steady_clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd descriptors[2] = {{event_, POLLIN, 0}, {inotify_, POLLIN, 0}};
    if (poll(descriptors, inotify_ >= 0 ? 2 : 1, static_cast<int>(std::clamp<long long>(left, 0, 60000))) <= 0) {
        return;
    }
    char events[4096];
    while (read(event_, events, sizeof events) > 0) {
    }
    while (inotify_ >= 0 && read(inotify_, events, sizeof events) > 0) {
    }
}

void Doorbell::Listener::poke() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(event_, &one, sizeof one);
}

Doorbell::Doorbell(const std::filesystem::path &file) : path_(file.string() + "-wake") {
    file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

Doorbell::~Doorbell() {
    if (file_ >= 0) {
        close(file_);
    }
}

void Doorbell::ring() noexcept {
    {
        const std::lock_guard lock(mutex_);
        for (Listener *listener : listeners_) {
            listener->poke();
        }
    }
    if (file_ >= 0) {
        [[maybe_unused]] const auto written = pwrite(file_, "!", 1, 0);
    }
}

std::unique_ptr<Doorbell::Listener> Doorbell::listen() {
    auto listener = std::make_unique<Listener>(path_);
    const std::lock_guard lock(mutex_);
    listeners_.push_back(listener.get());
    return listener;
}

void Doorbell::forget(const Listener *listener) {
    const std::lock_guard lock(mutex_);
    std::erase(listeners_, listener);
}

} // namespace weir::broker::embedded
