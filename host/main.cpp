// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"

int main(int argc, char **argv) {
    using namespace weir::cli;
    return run_program({{"Set up", {add_version}}}, argc, argv);
}
