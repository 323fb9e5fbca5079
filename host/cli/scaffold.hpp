// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace weir::cli {

/// Writes the SDK's template for a plugin of that name into a directory that must not hold anything yet. Throws Failure where the name is
/// none, where something is there, and where it can't be written; then what it wrote is gone again.
void write_plugin_template(const std::string &name, const std::filesystem::path &directory);

} // namespace weir::cli
