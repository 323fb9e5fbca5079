// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <unordered_set>

namespace weir::plugin {

/// The names in glibc's /etc/ld.so.cache, as ldconfig writes it. [glibc, sysdeps/generic/dl-cache.h: "glibc-ld.so.cache1.1"]
class LoaderCache {
public:
    /// Never throws for what the file holds: where it can't be understood, `readable()` is false.
    static LoaderCache read(const std::filesystem::path &file);

    bool readable() const { return readable_; }
    bool holds(const std::string &library) const { return names_.contains(library); }

private:
    bool readable_ = false;
    std::unordered_set<std::string> names_;
};

} // namespace weir::plugin
