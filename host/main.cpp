// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"

int main(int argc, char **argv) {
    using namespace weir::cli;
    return run_program(
        {
            {"Serve", {add_run, add_status, add_doctor}},
            {"Events", {add_publish, add_topics, add_tail, add_deadletter, add_rebuild, add_generate}},
            {"Set up", {add_plugin, add_config, add_completion, add_version}},
            {"", {add_plugin_trial, add_man}}, // for Weir itself: not shown
        },
        argc, argv);
}
