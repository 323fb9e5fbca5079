// SPDX-License-Identifier: Apache-2.0
#include "interrupt.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <unistd.h>

namespace weir::cli {

namespace {

std::atomic<bool> requested_flag{false};
std::atomic<int> bell{-1};
struct sigaction previous_int;
struct sigaction previous_term;

extern "C" void weir_cli_on_interrupt(int) {
    const int saved = errno;
    requested_flag = true;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(bell, &one, sizeof one);
    errno = saved;
}

} // namespace

Interrupt::Interrupt() {
    const int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made < 0) {
        throw std::runtime_error("no eventfd can be made: raise the limit of open files (ulimit -n)");
    }
    requested_flag = false;
    bell = made;
    struct sigaction action {};
    action.sa_handler = weir_cli_on_interrupt;
    sigemptyset(&action.sa_mask);
    action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND); // the second one kills
    sigaction(SIGINT, &action, &previous_int);
    action.sa_flags = SA_RESTART; // supervisors may repeat SIGTERM; they have SIGKILL to mean it
    sigaction(SIGTERM, &action, &previous_term);
}

Interrupt::~Interrupt() {
    sigaction(SIGINT, &previous_int, nullptr);
    sigaction(SIGTERM, &previous_term, nullptr);
    close(bell.exchange(-1));
}

bool Interrupt::requested() const noexcept { return requested_flag; }

bool Interrupt::wait_readable(int descriptor) const noexcept {
    while (!requested_flag) {
        std::array<pollfd, 2> watched{{{descriptor, POLLIN, 0}, {bell, POLLIN, 0}}};
        if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
            return true; // what is wrong with it, reading will tell
        }
        if (watched[0].revents != 0) {
            return true;
        }
    }
    return false;
}

bool Interrupt::wait_for(std::chrono::milliseconds time) const noexcept {
    const auto end = std::chrono::steady_clock::now() + time;
    while (!requested_flag) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            break;
        }
        pollfd item{bell, POLLIN, 0};
        poll(&item, 1, static_cast<int>(std::min<std::chrono::milliseconds::rep>(left.count(), 1000000)));
    }
    return requested_flag;
}

} // namespace weir::cli
