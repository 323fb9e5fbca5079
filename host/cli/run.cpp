// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "commands.hpp"
#include "host_access.hpp"
#include "number_check.hpp"
#include "plan.hpp"
#include "run_host.hpp"

#include "log/log.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

namespace weir::cli {

namespace {

struct RunLine {
    std::string config_file;
    bool until_drained = false;
    double drain_timeout_s = -1;
    std::int64_t max_events = -1;
    bool fail_fast = false;
    bool json = false;
};

/// Asks each server something small, so that one that isn't there, or lets nobody in, is found before anything else is begun.
void knock(const config::HostConfig &config, const Brokers &brokers, store::Store &store) {
    for (const auto &[url, broker] : brokers) {
        const auto reads = [&, &place = url](const config::DomainConfig &domain) {
            return domain.enabled && domain.broker_url == place && !domain.topics.empty();
        };
        const auto reader = std::find_if(config.domains.begin(), config.domains.end(), reads);
        try {
            broker->has_topic(reader != config.domains.end() ? reader->topics.front() : "weir");
        } catch (const broker::Misconfigured &failure) {
            // Where no domain names its topics here, perhaps only a right on this one is missing, which nobody needs; domains say it of
            // theirs.
            if (reader != config.domains.end() || std::string_view(failure.what()).find("ACL SETUSER") == std::string_view::npos) {
                throw;
            }
        }
    }
    store.has_domain("weir");
}

Exit run(const RunLine &line, const Context &context) {
    config::Loaded loaded = load_config_and_log(line.config_file);
    if (const auto problem = plugins_directory_problem(loaded.config)) {
        if (is_configured(loaded, "plugins.directory") || line.fail_fast || line.until_drained) {
            throw Failure(Exit::configuration, *problem);
        }
        log::warn("plugin.no_directory", "There is nothing to serve: the plugin directory isn't there; it is looked for again",
                  {{"key", "plugins.directory"}, {"directory", loaded.config.plugins_directory.string()}});
    }
    const auto brokers = open_brokers(loaded.config);
    const auto store = open_store(loaded.config);
    RunOptions options;
    options.config_file = line.config_file;
    options.until_drained = line.until_drained;
    if (line.drain_timeout_s >= 0) {
        options.drain_timeout = std::chrono::milliseconds(static_cast<std::int64_t>(line.drain_timeout_s * 1000));
    }
    if (line.max_events >= 0) {
        options.max_events = line.max_events;
    }
    options.json = line.json;
    options.fail_fast = line.fail_fast;
    if (line.fail_fast) {
        knock(loaded.config, brokers, *store);
    }
    return run_host(options, std::move(loaded), brokers, *store, {context.program.string(), "plugin-trial"});
}

} // namespace

void add_run(CLI::App &root, Context &context) {
    auto line = std::make_shared<RunLine>();
    CLI::App *command = root.add_subcommand("run", "Serve the plugins of the plugin directory until told to stop");
    add_config_option(*command, line->config_file);
    command->add_flag(
        "--until-drained", line->until_drained,
        "Stop when nothing is left: no backlog, nothing pending, no retry waiting; topics that aren't there are named at the end");
    command
        ->add_option("--drain-timeout", line->drain_timeout_s, "With --until-drained: stop after so many seconds anyway, with exit code 3")
        ->check(at_least(0))
        ->type_name("SECONDS");
    command->add_option("--max-events", line->max_events, "Stop after so many events")->check(at_least(0))->type_name("N");
    command->add_flag("--fail-fast", line->fail_fast,
                      "End where a server or a domain can't begin, instead of waiting until it can: with 4 where somebody has to change "
                      "something, else 5. With --until-drained, end with 4 where a topic isn't there");
    command->add_flag("--json", line->json, "Print the final counts as JSON");
    command->footer("Plugins and configuration files are watched: drop, replace or remove them while it runs.\n"
                    "SIGTERM and SIGINT end the batch that runs, commit, acknowledge and leave; SIGHUP reads the configuration anew.\n"
                    "\n"
                    "Examples:\n"
                    "  weir run -c configs/embedded.json\n"
                    "  weir run -c configs/embedded.json --until-drained --drain-timeout 60 --json");
    command->callback([&context, line] {
        context.logs = true;
        context.action = [&context, line] { return run(*line, context); };
    });
}

} // namespace weir::cli
