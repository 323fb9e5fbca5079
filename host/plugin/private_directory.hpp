// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/owned_descriptor.hpp"

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

namespace weir::plugin {

/// Where this process keeps the copies that it loads: `<directory>/<process>-<random>/<number>/<file name>`. Each copy has a path of its
/// own, because the loader gives the old code for a path that it knows. The process's folder holds a locked file for as long as the process
/// lives, which is how the next one knows what it may remove, across containers too. Thread-safe.
class PrivateDirectory {
public:
    /// The one of this process for `directory`, made where missing (0700), after removing what dead processes left.
    /// @throws PluginEnvironmentError where it can't be made or is not this user's own
    static std::shared_ptr<PrivateDirectory> of(const std::filesystem::path &directory);

    ~PrivateDirectory(); ///< removes this process's copies; those that are mapped stay mapped
    PrivateDirectory(const PrivateDirectory &) = delete;
    PrivateDirectory &operator=(const PrivateDirectory &) = delete;

    /// Writes a copy (0500) and returns its path. @throws PluginEnvironmentError where there is no space, for instance
    std::filesystem::path write(const std::string &file_name, std::span<const std::byte> bytes);

    /// Removes a copy that was not loaded after all.
    void discard(const std::filesystem::path &copy) noexcept;

private:
    explicit PrivateDirectory(const std::filesystem::path &directory);
    void remove_stale();
    bool claim();

    std::filesystem::path directory_;
    std::filesystem::path own_;
    OwnedDescriptor lock_;
    int owner_process_ = 0;
    std::atomic<std::uint64_t> next_{1};
};

} // namespace weir::plugin
