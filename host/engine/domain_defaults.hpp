// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/module.hpp"

#include <string>

namespace weir::engine {

/// What a plugin says of a domain that it offers; null where it offers none of this name.
inline const plugin::DomainDefaults *defaults_for(const plugin::Description &plugin, const std::string &domain) {
    for (const plugin::DomainDefaults &entry : plugin.domains) {
        if (entry.name == domain) {
            return &entry;
        }
    }
    return nullptr;
}

} // namespace weir::engine
