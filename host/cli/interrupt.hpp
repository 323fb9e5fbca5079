// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace weir::cli {

/// While one of these lives, SIGINT and SIGTERM ask instead of killing: what a command has begun it can end. A second SIGINT kills, as
/// impatient people expect. One at a time in a process; its functions may be called from any thread.
class Interrupt {
public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt &) = delete;
    Interrupt &operator=(const Interrupt &) = delete;

    bool requested() const noexcept;
    /// Waits until it is requested, or this long. @return requested()
    bool wait_for(std::chrono::milliseconds time) const noexcept;
    /// Waits until something can be read from a descriptor, or its end was reached. False where it is requested instead.
    bool wait_readable(int descriptor) const noexcept;
};

} // namespace weir::cli
