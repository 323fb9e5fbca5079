// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace weir::cli {

/// What this process has used since it began.
struct ProcessUsage {
    std::int64_t cpu_milliseconds = 0; ///< of all threads, in the program and in the kernel for it
    std::int64_t peak_resident_kib = 0;
};

ProcessUsage process_usage();

} // namespace weir::cli
