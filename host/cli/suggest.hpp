// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// The candidate that `word` was probably meant to be (a typing error or two away, or begun with it); empty: none is near.
std::string nearest(std::string_view word, const std::vector<std::string> &candidates);

} // namespace weir::cli
