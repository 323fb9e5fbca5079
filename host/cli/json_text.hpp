// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "output.hpp"

#include <nlohmann/json.hpp>

namespace weir::cli {

/// Members in the order in which they were added, as people read them.
using OrderedJson = nlohmann::ordered_json;

/// One line of JSON on standard output. Text that is not UTF-8 gets replacement characters, so that the line always parses.
inline void print_json(const OrderedJson &value) { print_line(value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)); }

} // namespace weir::cli
