// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "checkup.hpp"
#include "commands.hpp"
#include "hints.hpp"
#include "host_access.hpp"
#include "json_text.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace weir::cli {

namespace {

struct DoctorOptions {
    std::string config;
    bool json = false;
};

const char *health_name(Health health) { return health == Health::good ? "ok" : health == Health::warning ? "warning" : "fault"; }

std::vector<Finding> examine(const DoctorOptions &options, const Context &context) {
    std::vector<Finding> findings = check_machine();
    config::Loaded loaded = config::load(options.config, config::process_environment());
    check_backends(loaded);
    for (const config::Problem &problem : loaded.problems) {
        findings.push_back(
            {"configuration", Health::fault, problem.where + ": " + problem.what, "mend it there; 'weir config check' tries it"});
    }
    if (!loaded.problems.empty()) {
        return findings; // everything else depends on it
    }
    findings.push_back({"configuration", Health::good, options.config.empty() ? "defaults and variables alone" : options.config, ""});
    const auto add = [&](const std::vector<Finding> &more) { findings.insert(findings.end(), more.begin(), more.end()); };
    add(check_places(loaded.config));
    add(check_databases(loaded.config, context));
    try {
        add(check_plugins(loaded.config, context));
    } catch (const std::exception &failure) {
        findings.push_back({"plugins", Health::fault, failure.what(), "see above, and 'weir plugin list'"});
    }
    return findings;
}

std::vector<Finding> look(const DoctorOptions &options, const Context &context) {
    std::vector<Finding> findings = examine(options, context);
    for (Finding &each : findings) {
        each.what = with_config(std::move(each.what), options.config);
        each.remedy = with_config(std::move(each.remedy), options.config);
    }
    return findings;
}

Exit doctor(const DoctorOptions &options, const Context &context) {
    const std::vector<Finding> findings = look(options, context);
    const bool faulty = std::any_of(findings.begin(), findings.end(), [](const Finding &each) { return each.health == Health::fault; });
    if (options.json) {
        OrderedJson list = OrderedJson::array();
        for (const Finding &each : findings) {
            list.push_back({{"name", each.name}, {"health", health_name(each.health)}, {"what", each.what}, {"remedy", each.remedy}});
        }
        print_json({{"ok", !faulty}, {"findings", std::move(list)}});
        return faulty ? Exit::failed : Exit::ok;
    }
    for (const Finding &each : findings) {
        const std::string health = health_name(each.health);
        print_line(health + std::string(9 - health.size(), ' ') + printable_lines(each.what));
        if (!each.remedy.empty()) {
            print_line("         -> " + printable_lines(each.remedy));
        }
    }
    print_line(faulty ? "\nWeir would not run as configured." : "\nNothing here keeps Weir from running.");
    return faulty ? Exit::failed : Exit::ok;
}

} // namespace

void add_doctor(CLI::App &root, Context &context) {
    CLI::App *command = root.add_subcommand("doctor", "Show what on this machine would keep Weir from running, and how to mend it");
    const auto options = std::make_shared<DoctorOptions>();
    add_config_option(*command, options->config);
    command->add_flag("--json", options->json, "One JSON object: ok, findings with name, health, what and remedy");
    command->footer(
        "Looks at limits, clock, configuration, directories, disk space, broker, store and plugins; run it as the user that Weir runs as.\n"
        "It writes small files beside broker and store and removes them. Ends with 1 where something is at fault.\n"
        "\n"
        "Example:\n"
        "  weir doctor -c configs/embedded.json --json | jq '.findings[] | select(.health != \"ok\")'");
    command->callback([&context, options] { context.action = [&context, options] { return doctor(*options, context); }; });
}

} // namespace weir::cli
