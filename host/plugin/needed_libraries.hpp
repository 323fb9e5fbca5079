// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/candidate.hpp"

#include <optional>

namespace weir::plugin {

/// Whether the dynamic loader will find what a plugin needs, and may be allowed to.
///
/// - "missing_library": a library that is neither loaded, nor in the RUNPATH, nor in the loader's cache or standard directories.
/// - "private_library": one that is found only beside the plugin through `$ORIGIN`. The host loads a copy, beside which it is not; and
/// copying it too
///   would not do, because the loader knows libraries by name: the next generation would be given the first one's private library.
/// - "unsafe_runpath": a search directory that is relative (it would depend on where the host was started) or writable by others.
///
/// What those libraries need in turn is found out by loading.
std::optional<PluginRefusal> check_needed_libraries(const Candidate &candidate);

} // namespace weir::plugin
