// SPDX-License-Identifier: Apache-2.0
#include "engine/kill_point.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string_view>

namespace weir::engine::detail {

namespace {

std::string_view wanted() {
    const char *value = std::getenv("WEIR_TEST_KILL_AT");
    return value ? value : "";
}

KillPoint point_of(std::string_view name) {
    constexpr std::string_view kNames[] = {"", "read", "ledger", "handler", "flush", "commit", "ack", "acked"};
    for (std::uint8_t i = 1; i < std::size(kNames); ++i) {
        if (kNames[i] == name) {
            return static_cast<KillPoint>(i);
        }
    }
    return KillPoint::none;
}

std::atomic<long> passes_left{[] {
    const std::size_t colon = wanted().find(':');
    return colon == std::string_view::npos ? 1L : std::atol(wanted().data() + colon + 1);
}()};

} // namespace

const KillPoint armed_point = point_of(wanted().substr(0, wanted().find(':')));

void count_down() noexcept {
    if (--passes_left == 0) {
        std::raise(SIGKILL);
    }
}

} // namespace weir::engine::detail
