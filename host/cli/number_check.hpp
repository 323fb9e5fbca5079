// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

namespace weir::cli {

/// For CLI::Option::check: a finite number no smaller than `minimum`, or a message that says so.
std::function<std::string(const std::string &)> at_least(int minimum);

} // namespace weir::cli
