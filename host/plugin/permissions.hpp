// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/catalog.hpp"

#include <filesystem>
#include <optional>

namespace weir::plugin {

/// Whoever can write a plugin runs code as this host. So the file, the directory it is named in and the directory it resolves to
/// must belong to root or to this process's user, and be writable by no one else ("writable_by_others", "foreign_owner"). A group may write
/// where it is the process's own. A sticky bit does not help: it lets others add files. Directories further up are the operator's affair.
std::optional<PluginRefusal> check_permissions(const std::filesystem::path &file, const std::filesystem::path &resolved);

} // namespace weir::plugin
