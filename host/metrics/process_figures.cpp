// SPDX-License-Identifier: Apache-2.0
#include "metrics/figures.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace weir::metrics {

namespace {

/// Seconds since 1970 at which the machine started.
double boot_time() {
    std::ifstream in("/proc/stat");
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("btime ")) {
            return std::strtod(line.c_str() + 6, nullptr);
        }
    }
    return 0;
}

/// When the process started, in clock ticks since the machine did: field 22 of its stat. The second field may hold blanks. [proc(5)]
double start_ticks() {
    std::ifstream in("/proc/self/stat");
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const std::size_t end = text.rfind(')');
    std::istringstream rest(end == std::string::npos ? std::string() : text.substr(end + 1));
    std::string field;
    for (int number = 3; number <= 22; ++number) {
        rest >> field;
    }
    return std::strtod(field.c_str(), nullptr);
}

double start_time() {
    static const double at = boot_time() + start_ticks() / static_cast<double>(sysconf(_SC_CLK_TCK));
    return at;
}

double seconds(const timeval &time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

} // namespace

ProcessFigures process_figures() {
    ProcessFigures figures;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    figures.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    figures.start_time_seconds = start_time();
    std::uint64_t virtual_pages = 0;
    std::uint64_t resident_pages = 0;
    if (std::ifstream in("/proc/self/statm"); in >> virtual_pages >> resident_pages) {
        const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
        figures.virtual_bytes = virtual_pages * page;
        figures.resident_bytes = resident_pages * page;
    }
    std::error_code failure;
    for (std::filesystem::directory_iterator at("/proc/self/fd", failure), end; !failure && at != end; at.increment(failure)) {
        ++figures.open_files;
    }
    if (figures.open_files > 0) {
        --figures.open_files; // the one by which the directory is read
    }
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        figures.max_files = limit.rlim_cur;
    }
    return figures;
}

} // namespace weir::metrics
