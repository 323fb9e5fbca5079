// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "commands.hpp"
#include "host_access.hpp"
#include "json_text.hpp"
#include "missing_topics.hpp"
#include "serving.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace weir::cli {

namespace {

struct ConfigOptions {
    std::string config;
    bool json = false;
};

config::DomainConfig configured(const config::HostConfig &config, const std::string &name) {
    for (const config::DomainConfig &domain : config.domains) {
        if (domain.name == name) {
            return domain;
        }
    }
    config::DomainConfig plain;
    plain.name = name;
    return plain;
}

int show_problems(const config::Loaded &loaded, bool json) {
    OrderedJson problems = OrderedJson::array();
    for (const config::Problem &problem : loaded.problems) {
        problems.push_back({{"where", problem.where}, {"what", problem.what}});
        if (!json) {
            std::fprintf(stderr, "%s: %s\n", printable(problem.where).c_str(), printable_lines(problem.what).c_str());
        }
    }
    if (json) {
        print_json({{"ok", false}, {"problems", std::move(problems)}});
    }
    return static_cast<int>(Exit::configuration);
}

/// One statement of a guarantee a line.
std::string in_lines(std::string text) {
    for (std::size_t at = text.find("; "); at != std::string::npos; at = text.find("; ", at)) {
        text.replace(at, 2, "\n");
    }
    return text;
}

/// Cut for a column on a terminal; --json has all of it.
std::string shortened(const std::string &text) {
    constexpr std::size_t kWidth = 70;
    return text.size() <= kWidth ? text : text.substr(0, kWidth - 3) + "...";
}

/// Topics that aren't there, with what to do; none where the broker can't be asked, which its guarantee says, or was never published to.
OrderedJson missing_in(const std::vector<std::string> &topics, const config::HostConfig &config, const std::string &url) {
    OrderedJson list = OrderedJson::array();
    try {
        const auto broker = open_existing_broker_at(config, url);
        for (const MissingTopic &missing : broker ? missing_topics(topics, *broker) : std::vector<MissingTopic>()) {
            list.push_back({{"topic", missing.topic}, {"remedy", remedy(missing)}});
        }
    } catch (const broker::Unavailable &) {
    } catch (const broker::Misconfigured &) {
    }
    return list;
}

Exit check(const ConfigOptions &options, const Context &context) {
    config::Loaded loaded = config::load(options.config, config::process_environment());
    check_backends(loaded);
    if (const auto problem = plugins_directory_problem(loaded.config);
        problem && loaded.problems.empty() && is_configured(loaded, "plugins.directory")) {
        const auto set = std::find_if(loaded.settings.begin(), loaded.settings.end(),
                                      [](const config::Setting &setting) { return setting.key == "plugins.directory"; });
        loaded.problems.push_back({set->source, *problem});
    }
    if (!loaded.problems.empty()) {
        show_problems(loaded, options.json);
        return Exit::configuration;
    }
    const event::Contracts contracts = load_contracts(loaded.config);
    const Serving serving = find_serving(loaded.config, context, contracts);
    std::map<std::string, std::string> of_brokers;
    for (const std::string &url : broker_urls(loaded.config)) {
        of_brokers[url] = broker_guarantee(loaded.config, url);
    }
    const std::string of_store = store_guarantee(loaded.config);
    OrderedJson domains = OrderedJson::array();
    for (const auto &[name, domain] : serving.domains) {
        const std::string &url = domain.spec.broker.empty() ? loaded.config.broker_url : domain.spec.broker;
        const std::string line =
            config::guarantee(loaded.config, configured(loaded.config, name), of_brokers[url], of_store, domain.spec.parallel);
        domains.push_back({{"domain", name},
                           {"served", true},
                           {"plugin", domain.spec.plugin},
                           {"schema", domain.spec.schema},
                           {"group", domain.spec.group},
                           {"topics", domain.spec.topics},
                           {"missing_topics", missing_in(domain.spec.topics, loaded.config, url)},
                           {"guarantee", line}});
    }
    for (const auto &[name, reason] : serving.unserved) {
        domains.push_back({{"domain", name}, {"served", false}, {"reason", reason}});
    }
    for (const auto &[name, reason] : serving.disabled) { // on purpose, and so no fault
        domains.push_back({{"domain", name}, {"served", false}, {"reason", reason}});
    }
    const Exit all_served = serving.unserved.empty() ? Exit::ok : Exit::configuration;
    if (options.json) {
        OrderedJson settings = OrderedJson::array();
        for (const config::Setting &setting : loaded.settings) {
            settings.push_back({{"key", setting.key}, {"value", setting.value}, {"source", setting.source}});
        }
        print_json({{"ok", serving.unserved.empty()}, {"settings", std::move(settings)}, {"domains", std::move(domains)}});
        return all_served;
    }
    Table table({"KEY", "VALUE", "SOURCE"});
    for (const config::Setting &setting : loaded.settings) {
        table.row({setting.key, setting.value.empty() ? "-" : shortened(setting.value), setting.source});
    }
    table.print();
    print_line("");
    for (const OrderedJson &domain : domains) {
        if (!domain["served"].get<bool>()) {
            print_line(printable_lines(domain["domain"].get<std::string>() + ": not served: " + domain["reason"].get<std::string>()));
            continue;
        }
        print_line(printable_lines(in_lines(domain["guarantee"].get<std::string>())));
        for (const OrderedJson &missing : domain["missing_topics"]) {
            print_line(printable_lines("    topic '" + missing["topic"].get<std::string>() +
                                       "' is not on the broker, and would be waited for; " + missing["remedy"].get<std::string>()));
        }
    }
    if (domains.empty()) {
        print_line("No domains: none is configured, and no plugin in " + loaded.config.plugins_directory.string() + " offers one.");
    }
    return all_served;
}

} // namespace

void add_config(CLI::App &root, Context &context) {
    CLI::App *group = root.add_subcommand("config", "Check the configuration");
    group->require_subcommand(0, 1);
    CLI::App *command =
        group->add_subcommand("check", "Show what is in effect, where each value came from, and what each domain can rely on");
    const auto options = std::make_shared<ConfigOptions>();
    add_config_option(*command, options->config);
    command->add_flag("--json", options->json, "One JSON object: ok, settings or problems, domains");
    command->footer("Secrets are masked. Changes nothing, and needs no running host. Ends with 4 where something is wrong, having said "
                    "where and what.\n"
                    "\n"
                    "Example:\n"
                    "  WEIR_STORE_URL=sqlite:///srv/weir weir config check -c configs/embedded.json");
    command->callback([&context, options] { context.action = [&context, options] { return check(*options, context); }; });
}

} // namespace weir::cli
