// SPDX-License-Identifier: Apache-2.0
#include "host_access.hpp"
#include "backends.hpp"
#include "command.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace weir::cli {

void add_config_option(CLI::App &command, std::string &file) {
    command.add_option("-c,--config", file, "The host's configuration; without it, defaults and WEIR_ variables alone")->type_name("FILE");
}

config::Loaded load_config(const std::string &file) {
    config::Loaded loaded = config::load(file, config::process_environment());
    check_backends(loaded);
    if (!loaded.problems.empty()) {
        for (const config::Problem &problem : loaded.problems) {
            std::fprintf(stderr, "%s: %s\n", printable(problem.where).c_str(), printable(problem.what).c_str());
        }
        throw Failure(Exit::configuration, "the configuration" + (file.empty() ? std::string() : " " + file) + " has " +
                                               counted(loaded.problems.size(), "problem", "problems") +
                                               "; 'weir config check' shows what is in effect");
    }
    return loaded;
}

event::Contracts load_contracts(const config::HostConfig &config) {
    event::Contracts contracts = event::Contracts::built_in();
    if (!config.contracts_directory.empty()) {
        if (const auto problem = contracts.add_directory(config.contracts_directory)) {
            throw Failure(Exit::configuration, "contracts_directory: " + *problem);
        }
    }
    return contracts;
}

} // namespace weir::cli
