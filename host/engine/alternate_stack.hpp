// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <cstddef>
#include <memory>

namespace weir::engine {

/// Lets the calling thread's fatal signals be noted on a stack of their own, so that a handler's stack overflow is known as well. What was
/// there before (a sanitizer's) comes back when the thread ends.
class AlternateStack {
public:
    AlternateStack() {
        stack_t mine{};
        mine.ss_sp = memory_.get();
        mine.ss_size = kBytes;
        sigaltstack(&mine, &previous_);
    }
    ~AlternateStack() { sigaltstack(&previous_, nullptr); }
    AlternateStack(const AlternateStack &) = delete;
    AlternateStack &operator=(const AlternateStack &) = delete;

private:
    static constexpr std::size_t kBytes = 64u << 10;
    std::unique_ptr<char[]> memory_ = std::make_unique_for_overwrite<char[]>(kBytes); // nobody touches it unless it is needed
    stack_t previous_{};
};

} // namespace weir::engine
