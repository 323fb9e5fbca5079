// SPDX-License-Identifier: Apache-2.0
#include "serving.hpp"
#include "plan.hpp"
#include "suggest.hpp"

#include "engine/supervisor.hpp"

#include <algorithm>

namespace weir::cli {

plugin::LoadOptions load_options(const config::HostConfig &config, const Context &context, const event::Contracts &contracts) {
    plugin::LoadOptions options;
    options.private_directory = config.state_directory / "plugins";
    options.known_event_types = contracts.event_types();
    options.trial_command = {context.program.string(), "plugin-trial"};
    return options;
}

std::vector<std::filesystem::path> plugin_files(const std::filesystem::path &directory) {
    std::vector<std::filesystem::path> files;
    std::error_code failure;
    for (std::filesystem::directory_iterator at(directory, failure), end; !failure && at != end; at.increment(failure)) {
        const std::string name = at->path().filename().string();
        if (name.ends_with(".so") && name.front() != '.') {
            files.push_back(at->path());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

Serving find_serving(const config::HostConfig &config, const Context &context, const event::Contracts &contracts) {
    Serving serving;
    const plugin::LoadOptions options = load_options(config, context, contracts);
    engine::Supervisor supervisor({}, "cli");
    supervisor.pause(true); // it only decides; nothing starts
    for (const std::filesystem::path &file : plugin_files(config.plugins_directory)) {
        plugin::PluginRefusal refusal;
        if (auto module = plugin::load_file(file, options, refusal)) {
            serving.modules.push_back(module);
            supervisor.plugin_loaded(std::move(module));
        } else {
            serving.refused.push_back(std::move(refusal));
        }
    }
    supervisor.apply(plan_of(config));
    for (auto &[name, wanted] : supervisor.planned(serving.unserved)) {
        serving.domains[name] = {wanted.spec, wanted.module};
    }
    return serving;
}

const Serving::Domain &domain_named(const Serving &serving, const std::string &name) {
    if (const auto found = serving.domains.find(name); found != serving.domains.end()) {
        return found->second;
    }
    if (const auto why = serving.unserved.find(name); why != serving.unserved.end()) {
        throw Failure(Exit::configuration, "domain '" + name + "' is not served: " + why->second);
    }
    std::vector<std::string> names;
    std::string list;
    for (const auto &[known, domain] : serving.domains) {
        names.push_back(known);
        list += (list.empty() ? "" : ", ") + known;
    }
    const std::string hint = nearest(name, names);
    throw Failure(Exit::usage, "there is no domain '" + name + "'" + (hint.empty() ? "" : " (did you mean '" + hint + "'?)") +
                                   "; this configuration and its plugins give: " + (list.empty() ? "none" : list));
}

} // namespace weir::cli
