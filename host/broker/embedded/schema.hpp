// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connection.hpp"

namespace weir::broker::embedded {

/// Makes the file, its directories and tables where missing, turns on the WAL, and checks that the file is ours and of a version we know.
/// Safe when many processes begin at once.
void prepare_file(const EmbeddedOptions &options);

} // namespace weir::broker::embedded
