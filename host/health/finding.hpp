// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace weir::health {

enum class Health : std::uint8_t { good, warning, fault };

/// One thing that `weir doctor` looked at.
struct Finding {
    std::string name; ///< snake_case, stable: "disk_space"
    Health health = Health::good;
    std::string what;
    std::string remedy{}; ///< empty where nothing is to be done
};

} // namespace weir::health
