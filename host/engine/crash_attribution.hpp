// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/domain.hpp"
#include "store/store.hpp"

#include <filesystem>

namespace weir::engine {

/// Counts hosts that died in a handler against the handler's event, in the store, before anything of it runs again. One thread.
class CrashAttribution {
public:
    /// @param marks the directory of crash marks
    /// @param spec outlives this
    CrashAttribution(std::filesystem::path marks, const DomainSpec &spec) : marks_(std::move(marks)), spec_(spec) {}

    /// Counts what was left since, then forgets the marks. Another host of the same directory that counts right now goes first, unless it
    /// takes longer than about a second. Throws what the store throws.
    void count(store::Session &session);

private:
    const std::filesystem::path marks_;
    const DomainSpec &spec_;
    bool is_patient_ = true; // whoever counts has not been waited for in vain
};

} // namespace weir::engine
