// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "output.hpp"

#include "weir/abi.h"

#include <CLI/CLI.hpp>
#include <memory>

namespace weir::cli {

void add_version(CLI::App &root, Context &context) {
    CLI::App *command = root.add_subcommand("version", "Show the version, and which plugins it can run");
    const auto json = std::make_shared<bool>(false);
    command->add_flag("--json", *json, "One JSON object");
    command->callback([&context, json] {
        context.action = [json] {
            const std::string major = std::to_string(WEIR_ABI_MAJOR);
            const std::string minor = std::to_string(WEIR_ABI_MINOR);
            print_line(*json ? R"({"version":")" WEIR_VERSION R"(","abi_major":)" + major + R"(,"abi_minor":)" + minor + "}"
                             : "weir " WEIR_VERSION "\nplugin ABI " + major + "." + minor);
            return Exit::ok;
        };
    });
}

} // namespace weir::cli
