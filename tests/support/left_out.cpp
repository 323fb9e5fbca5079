// SPDX-License-Identifier: Apache-2.0
#include "left_out.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>

namespace weir::test {

void left_out(const std::string &what) {
    WARN("left out: " << what);
    if (const char *file = std::getenv("WEIR_TEST_LEFT_OUT"); file != nullptr && *file != '\0') {
        std::ofstream(file, std::ios::app) << what + "\n"; // at once: other tests write to it as well
    }
}

} // namespace weir::test
