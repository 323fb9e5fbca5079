// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"

int main(int argc, char **argv) {
    using namespace weir::cli;
    return run_program({{"Serve", {add_run}}, {"Set up", {add_version}}}, argc, argv);
}
