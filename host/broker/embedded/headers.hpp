// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/message.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir::broker::embedded {

/// Headers as a JSON array of [name, value], readable in the sqlite3 shell. Bytes that are not UTF-8 are kept as they are, so that what is
/// read back is exact; the text is then JSON in all but its encoding. No headers: empty.
std::string encode_headers(const std::vector<event::Header> &headers);

/// Reads what `encode_headers` wrote; damaged text gives the headers before the damage.
std::vector<event::Header> decode_headers(std::string_view text);

} // namespace weir::broker::embedded
