// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <sys/types.h>

namespace weir::plugin {

enum class Durability : std::uint8_t {
    none,   ///< may be lost with the power
    synced, ///< on the disk when the call returns
};

/// Writes a file that must not exist yet, with exactly this mode whatever the umask. @return 0, or errno; a file that was begun is removed
/// then
int write_new_file(const std::filesystem::path &path, std::span<const std::byte> bytes, mode_t mode, Durability durability) noexcept;

/// Makes renames in a directory durable. @return 0, or errno
int sync_directory(const std::filesystem::path &directory) noexcept;

} // namespace weir::plugin
