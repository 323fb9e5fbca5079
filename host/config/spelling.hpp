// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::config {

/* What texts of variables say, whose writers had other programs in mind. */

std::string trimmed(std::string_view text);

/// A whole number; false where the text is none.
bool integer_of(const std::string &text, std::int64_t &out);

/// "2s", "0.25s", "500ms" or "1m" in milliseconds; false where the text is no such thing.
bool milliseconds_of(std::string_view text, std::int64_t &out);

/// The log level that is meant, whatever its case: INFO, WARNING, CRITICAL. A text that is none comes back in lower case.
std::string level_of(std::string text);

} // namespace weir::config
