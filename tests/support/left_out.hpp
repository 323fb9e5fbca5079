// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace weir::test {

/// Says that something is not tested on this machine, and why: as a warning of the running test, and in the summary of scripts/test.sh (the
/// file that WEIR_TEST_LEFT_OUT names).
void left_out(const std::string &what);

} // namespace weir::test
