// SPDX-License-Identifier: Apache-2.0
#include "process_usage.hpp"

#include <fstream>
#include <string>
#include <sys/resource.h>

namespace weir::cli {

ProcessUsage process_usage() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto milliseconds = [](const timeval &time) { return time.tv_sec * 1000 + time.tv_usec / 1000; };
    ProcessUsage result{milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime), 0};
    // Not ru_maxrss: a process inherits that of the one that started it, from before the program was loaded. [proc(5), VmHWM]
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) {
            result.peak_resident_kib = std::stoll(line.substr(6));
        }
    }
    return result;
}

} // namespace weir::cli
