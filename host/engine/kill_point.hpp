// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace weir::engine {

/// Where on an event's way a test may have the host die, in the program that users run: WEIR_TEST_KILL_AT=commit:3 ends the process with
/// SIGKILL the third time that it comes to this point. Without the variable a point costs one comparison.
enum class KillPoint : std::uint8_t {
    none,
    read,    ///< a read has brought messages; the broker holds them as pending
    ledger,  ///< the ledger has been asked about a batch's events
    handler, ///< a handler is about to run, its mark is set
    flush,   ///< a batch's rows are written, nothing is committed
    commit,  ///< everything is written, COMMIT is the next statement
    ack,     ///< committed, not acknowledged
    acked,   ///< acknowledged
};

namespace detail {
extern const KillPoint armed_point;
void count_down() noexcept;
} // namespace detail

/// To be called where the host comes by. Any thread.
inline void pass(KillPoint point) noexcept {
    if (point == detail::armed_point) [[unlikely]] {
        detail::count_down();
    }
}

} // namespace weir::engine
