// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "interrupt.hpp"

#include <array>
#include <streambuf>

namespace weir::cli {

/// Reads a descriptor for a std::istream, and ends as at the end of a file when an interrupt is requested: the standard streams would wait
/// on, for input that may never come. One thread.
class InterruptibleInput : public std::streambuf {
public:
    /// @param descriptor stays the caller's; both outlive this
    InterruptibleInput(int descriptor, const Interrupt &interrupt) : descriptor_(descriptor), interrupt_(interrupt) {}

protected:
    int_type underflow() override;

private:
    int descriptor_;
    const Interrupt &interrupt_;
    std::array<char, 65536> buffer_{};
};

} // namespace weir::cli
