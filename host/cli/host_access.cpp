// SPDX-License-Identifier: Apache-2.0
#include "host_access.hpp"
#include "backends.hpp"
#include "command.hpp"
#include "output.hpp"
#include "plan.hpp"

#include "log/log.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace weir::cli {

void add_config_option(CLI::App &command, std::string &file) {
    command.add_option("-c,--config", file, "The host's configuration; without it, defaults and WEIR_ variables alone")->type_name("FILE");
}

namespace {

config::Loaded checked(config::Loaded loaded, const std::string &file, bool logs) {
    check_backends(loaded);
    if (!loaded.problems.empty()) {
        for (const config::Problem &problem : loaded.problems) {
            if (logs) {
                log::error("config.wrong", "The configuration is wrong", {{"where", problem.where}, {"reason", problem.what}});
            } else {
                std::fprintf(stderr, "%s: %s\n", printable(problem.where).c_str(), printable(problem.what).c_str());
            }
        }
        throw Failure(Exit::configuration, "the configuration" + (file.empty() ? std::string() : " " + file) + " has " +
                                               counted(loaded.problems.size(), "problem", "problems") +
                                               "; 'weir config check' shows what is in effect");
    }
    return loaded;
}

} // namespace

config::Loaded load_config(const std::string &file) { return checked(config::load(file, config::process_environment()), file, false); }

config::Loaded load_config_and_log(const std::string &file) {
    config::Loaded loaded = config::load(file, config::process_environment());
    if (loaded.problems.empty() || loaded.config.log_format != "auto") { // else it may not have been read so far
        configure_log(loaded.config);
    }
    return checked(std::move(loaded), file, log::writes_json());
}

void configure_log_by_environment() {
    const char *format = std::getenv("WEIR_LOG_FORMAT");
    const std::string wanted = format ? format : "";
    log::configure(log::Level::warn, wanted == "json" ? log::Format::json : wanted == "text" ? log::Format::text : log::Format::automatic);
}

std::optional<std::string> plugins_directory_problem(const config::HostConfig &config) {
    std::error_code failure;
    const auto status = std::filesystem::status(config.plugins_directory, failure);
    if (std::filesystem::is_directory(status)) {
        return std::nullopt;
    }
    const std::string what = status.type() == std::filesystem::file_type::not_found ? "is not there"
                             : status.type() == std::filesystem::file_type::none    ? "can't be looked at: " + failure.message()
                                                                                    : "is no directory";
    return "plugins.directory: " + config.plugins_directory.string() + " " + what +
           "; make it, empty where its plugins come later, or name another (WEIR_PLUGINS_DIRECTORY)";
}

bool is_configured(const config::Loaded &loaded, const std::string &key) {
    return std::any_of(loaded.settings.begin(), loaded.settings.end(),
                       [&](const config::Setting &setting) { return setting.key == key && setting.source != "default"; });
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
