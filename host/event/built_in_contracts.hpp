// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace weir::event {

struct BuiltInContract {
    std::string_view event_type;
    std::string_view schema; ///< JSON text
};

/// The files of contracts/ as they were when the program was built.
std::span<const BuiltInContract> built_in_contracts() noexcept;

} // namespace weir::event
