// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <sys/stat.h>

namespace weir::plugin {

/// What one look at a file showed; two equal looks some time apart mean that it is at rest.
struct Look {
    dev_t device = 0;
    ino_t inode = 0;
    std::int64_t size = -1;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const Look &, const Look &) = default;
};

enum class Presence : std::uint8_t {
    present,
    absent,
    unknown, ///< the file system does not answer: nothing follows from that
};

/// Follows symbolic links.
Presence look_at(const std::filesystem::path &file, Look &out);

/// What the catalog remembers of a file in the directory.
struct WatchedFile {
    using Clock = std::chrono::steady_clock;

    Look look;
    Clock::time_point looks_so_since; ///< when `look` was first seen
    bool settled = false;             ///< `look` has been dealt with
    Clock::time_point look_again;     ///< an earlier decision is made again then
    bool absent = false;
    Clock::time_point absent_since;

    std::string serving; ///< the plugin's name; empty: none
    std::uint64_t serving_hash = 0;
    std::string said;         ///< the last refusal that was told, with the content's hash; empty: none
    std::string refused_code; ///< of the present content; empty: it is served
};

} // namespace weir::plugin
