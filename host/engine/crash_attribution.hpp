// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain.hpp"
#include "store/store.hpp"

#include <filesystem>

namespace weir::engine {

/// Counts hosts that died in a handler against the handler's event, in the store, before anything of it runs again; then forgets their
/// marks. Throws what the store throws.
void attribute_crashes(const std::filesystem::path &marks, const DomainSpec &spec, store::Session &session);

} // namespace weir::engine
