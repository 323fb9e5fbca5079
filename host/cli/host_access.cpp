// SPDX-License-Identifier: Apache-2.0
#include "host_access.hpp"
#include "command.hpp"
#include "output.hpp"

#include "broker/embedded/embedded_broker.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

namespace weir::cli {

namespace {

broker::EmbeddedOptions embedded_options(const config::HostConfig &config) {
    broker::EmbeddedOptions options;
    if (!config.broker_url.starts_with("embedded://")) {
        throw Failure(Exit::configuration, "broker.url: this version has no adapter for '" +
                                               config.broker_url.substr(0, config.broker_url.find(':')) +
                                               "'; set WEIR_BROKER_URL=embedded://FILE, or broker.url in the host file");
    }
    if (const auto problem = broker::parse_embedded_url(config.broker_url, options)) {
        throw Failure(Exit::configuration, "broker.url (WEIR_BROKER_URL): " + *problem);
    }
    return options;
}

} // namespace

void add_config_option(CLI::App &command, std::string &file) {
    command.add_option("-c,--config", file, "The host's configuration; without it, defaults and WEIR_ variables alone")->type_name("FILE");
}

config::Loaded load_config(const std::string &file) {
    config::Loaded loaded = config::load(file, config::process_environment());
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

std::unique_ptr<broker::Broker> open_broker(const config::HostConfig &config) {
    return broker::open_embedded_broker(embedded_options(config));
}

std::unique_ptr<broker::Broker> open_existing_broker(const config::HostConfig &config) {
    const broker::EmbeddedOptions options = embedded_options(config);
    std::error_code failure;
    const bool missing = std::filesystem::status(options.file, failure).type() == std::filesystem::file_type::not_found;
    return missing ? nullptr : broker::open_embedded_broker(options);
}

std::string broker_guarantee(const config::HostConfig &config) {
    if (const auto broker = open_existing_broker(config)) {
        return broker->guarantee();
    }
    // It depends on the options alone, so one that is thrown away says the same.
    std::string place = (std::filesystem::temp_directory_path() / "weir-XXXXXX").string();
    if (!mkdtemp(place.data())) {
        throw Failure(Exit::unavailable, place + " can't be made; set TMPDIR to a directory that can be written");
    }
    broker::EmbeddedOptions options = embedded_options(config);
    options.file = std::filesystem::path(place) / "broker.db";
    const std::string guarantee = broker::open_embedded_broker(options)->guarantee();
    std::error_code ignored;
    std::filesystem::remove_all(place, ignored);
    return guarantee;
}

std::unique_ptr<store::Store> open_store(const config::HostConfig &config) {
    if (!config.store_url.starts_with("sqlite://")) {
        throw Failure(Exit::configuration, "store.url: this version has no adapter for '" +
                                               config.store_url.substr(0, config.store_url.find(':')) +
                                               "'; set WEIR_STORE_URL=sqlite://DIRECTORY, or store.url in the host file");
    }
    std::string reason;
    const auto options = store::sqlite::parse_sqlite_url(config.store_url, reason);
    if (!options) {
        throw Failure(Exit::configuration, "store.url (WEIR_STORE_URL): " + reason);
    }
    return store::sqlite::open_sqlite_store(*options);
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

std::filesystem::path status_file(const config::HostConfig &config) { return config.state_directory / "status.json"; }

} // namespace weir::cli
