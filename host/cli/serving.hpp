// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/command.hpp"
#include "config/config.hpp"
#include "engine/domain.hpp"
#include "event/contracts.hpp"
#include "plugin/catalog.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::cli {

/// How a plugin is loaded for a command: tried in a child process first, so that one that crashes doesn't take the command along.
plugin::LoadOptions load_options(const config::HostConfig &config, const Context &context, const event::Contracts &contracts);

/// The files of the plugin directory, in the order of their names; none where it isn't there. Throws Failure where it can't be read.
std::vector<std::filesystem::path> plugin_files(const std::filesystem::path &directory);

/// What `run` would serve, by the same rules and with the same plugins.
struct Serving {
    struct Domain {
        engine::DomainSpec spec;
        std::shared_ptr<const plugin::Module> module;
    };
    std::map<std::string, Domain> domains;
    std::map<std::string, std::string> unserved; ///< domain -> why not
    std::map<std::string, std::string> disabled; ///< domain -> where its configuration switches it off
    std::vector<std::shared_ptr<const plugin::Module>> modules;
    std::vector<plugin::PluginRefusal> refused;
};

/// Loads every plugin of the plugin directory. Throws plugin::PluginEnvironmentError.
Serving find_serving(const config::HostConfig &config, const Context &context, const event::Contracts &contracts);

/// The domain of that name; else throws Failure, saying why it isn't served, or which domains there are.
const Serving::Domain &domain_named(const Serving &serving, const std::string &name);

} // namespace weir::cli
