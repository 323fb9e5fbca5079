// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "wire.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::store::postgresql {

/// Bytes as the server reads and shows them: \x00ff.
std::string hexadecimal(std::string_view bytes);

/// A canonical value of a column of this form, not null, as text that the server reads.
std::string text_of(Form form, std::uint32_t scale, const Value &value);

} // namespace weir::store::postgresql
