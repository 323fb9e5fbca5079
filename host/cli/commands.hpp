// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/command.hpp"

namespace weir::cli {

/*
 * The commands, one file each: `add_topics` is in topics.cpp.
 */

void add_run(CLI::App &root, Context &context);
void add_publish(CLI::App &root, Context &context);
void add_topics(CLI::App &root, Context &context);
void add_tail(CLI::App &root, Context &context);
void add_status(CLI::App &root, Context &context);
void add_deadletter(CLI::App &root, Context &context);
void add_rebuild(CLI::App &root, Context &context);
void add_plugin(CLI::App &root, Context &context);
void add_plugin_trial(CLI::App &root, Context &context); ///< hidden: the child in which a plugin is tried
void add_config(CLI::App &root, Context &context);
void add_generate(CLI::App &root, Context &context);
void add_doctor(CLI::App &root, Context &context);
void add_completion(CLI::App &root, Context &context);
void add_man(CLI::App &root, Context &context); ///< hidden: the manual page, for the build
void add_version(CLI::App &root, Context &context);

} // namespace weir::cli
