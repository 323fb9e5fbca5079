// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace weir::engine {

/**
 * Takes things apart on a thread of its own: those that join threads or wait for a server as they go, while whoever happens to let go of
 * them last may be a thread that must not wait, or one of those that are joined. Thread-safe.
 */
class Retirement {
public:
    Retirement();
    /// Waits for what was let go of by then. What is let go of later is taken apart where that happens.
    ~Retirement();
    Retirement(const Retirement &) = delete;
    Retirement &operator=(const Retirement &) = delete;

    /// The last to hold the result returns at once.
    template <class Thing> std::shared_ptr<Thing> hand_out(std::unique_ptr<Thing> thing) const {
        note();
        return {thing.release(), [state = state_](Thing *gone) { take_back(state, [gone] { delete gone; }); }};
    }

    /// Waits until everything that was handed out is taken apart. @return whether it is
    bool wait_until(std::chrono::steady_clock::time_point deadline) const;

private:
    struct State;
    void note() const;
    static void take_back(const std::shared_ptr<State> &state, std::function<void()> take_apart) noexcept;

    std::shared_ptr<State> state_;
};

} // namespace weir::engine
