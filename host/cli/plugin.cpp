// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "commands.hpp"
#include "hints.hpp"
#include "host_access.hpp"
#include "plugin_text.hpp"
#include "scaffold.hpp"
#include "serving.hpp"

#include "plugin/install.hpp"
#include "plugin/trial.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>

namespace weir::cli {

namespace {

struct PluginOptions {
    std::string config;
    std::string plugin; ///< a name or a file
    std::string directory;
    bool json = false;
};

int refuse(plugin::PluginRefusal refusal, const PluginOptions &options) {
    refusal.remedy = with_config(std::move(refusal.remedy), options.config);
    if (options.json) {
        print_json(refusal_json(refusal));
    } else {
        std::fprintf(stderr, "weir: %s is refused (%s): %s\n      %s\n", refusal.file.c_str(), refusal.code.c_str(),
                     printable_lines(refusal.message).c_str(), printable_lines(refusal.remedy).c_str());
    }
    return static_cast<int>(Exit::failed);
}

/// What the kept predecessor of an installed plugin handles and it doesn't.
std::vector<std::string> lost_since_previous(const config::HostConfig &config, const Context &context, const plugin::Module &module) {
    const std::filesystem::path file = config.plugins_directory / ".previous" / (module.description().name + ".so");
    std::error_code ignored;
    plugin::PluginRefusal refusal;
    const auto previous = std::filesystem::exists(file, ignored)
                              ? plugin::load_file(file, load_options(config, context, load_contracts(config)), refusal)
                              : nullptr;
    return previous ? plugin::handlers_lost(*previous, module) : std::vector<std::string>();
}

void note_lost(const plugin::Module &module, const std::vector<std::string> &lost) {
    for (const std::string &symbol : lost) {
        std::fprintf(stderr, "note: %s %s has no %s, which its predecessor has: events of that type take no effect any more\n",
                     printable(module.description().name).c_str(), printable(module.description().version).c_str(), symbol.c_str());
    }
}

Exit list(const PluginOptions &options, const Context &context) {
    const auto loaded = load_config(options.config);
    if (const auto problem = plugins_directory_problem(loaded.config)) {
        throw Failure(Exit::configuration, *problem);
    }
    const Serving serving = find_serving(loaded.config, context, load_contracts(loaded.config));
    OrderedJson array = OrderedJson::array();
    Table table({"PLUGIN", "VERSION", "DOMAINS", "HANDLERS", "SUMMARY"});
    for (const auto &module : serving.modules) {
        const plugin::Description &about = module->description();
        std::string domains;
        OrderedJson names = OrderedJson::array();
        for (const auto &[name, domain] : serving.domains) {
            if (domain.module == module) {
                domains += (domains.empty() ? "" : ",") + name;
                names.push_back(name);
            }
        }
        const std::vector<std::string> lost = lost_since_previous(loaded.config, context, *module);
        array.push_back({{"plugin", about.name},
                         {"version", about.version},
                         {"file", module->origin()},
                         {"domains", std::move(names)},
                         {"handlers", module->handler_symbols()},
                         {"handlers_lost", lost},
                         {"summary", about.summary}});
        if (!options.json) {
            note_lost(*module, lost);
        }
        table.row(
            {about.name, about.version, domains.empty() ? "-" : domains, std::to_string(module->handler_symbols().size()), about.summary});
    }
    if (options.json) {
        OrderedJson refused = OrderedJson::array();
        for (const plugin::PluginRefusal &refusal : serving.refused) {
            refused.push_back(refusal_json(refusal));
        }
        print_json(
            {{"directory", loaded.config.plugins_directory.string()}, {"plugins", std::move(array)}, {"refused", std::move(refused)}});
        return Exit::ok;
    }
    if (serving.modules.empty()) {
        print_line("There are no plugins in " + loaded.config.plugins_directory.string() +
                   " (plugins.directory, WEIR_PLUGINS_DIRECTORY); " +
                   with_config("'weir plugin install FILE' puts one there.", options.config));
    } else {
        table.print();
    }
    for (const plugin::PluginRefusal &refusal : serving.refused) {
        refuse(refusal, options);
    }
    return Exit::ok;
}

/// Loads a plugin that was named by its file or, where it lies in the plugin directory, by its name.
std::shared_ptr<const plugin::Module> load(const PluginOptions &options, const Context &context, plugin::PluginRefusal &refusal) {
    const auto loaded = load_config(options.config);
    const bool is_file = options.plugin.find('/') != std::string::npos || options.plugin.ends_with(".so");
    const std::filesystem::path file =
        is_file ? std::filesystem::path(options.plugin) : loaded.config.plugins_directory / (options.plugin + ".so");
    return plugin::load_file(file, load_options(loaded.config, context, load_contracts(loaded.config)), refusal);
}

Exit inspect(const PluginOptions &options, const Context &context) {
    plugin::PluginRefusal refusal;
    const auto module = load(options, context, refusal);
    if (!module) {
        refuse(refusal, options);
        return Exit::failed;
    }
    if (options.json) {
        print_json(module_json(*module));
    } else {
        print(module_text(*module));
    }
    return Exit::ok;
}

/// What a plugin would change in the schemas of the domains that it would serve; by domain, those that are there alone.
struct SchemaCheck {
    std::map<std::string, store::MigrationSteps> steps;
    std::optional<plugin::PluginRefusal> refusal; ///< where one doesn't fit
    std::vector<std::string> handlers_lost;       ///< that its predecessor has, and it hasn't
    std::string unknown;                          ///< why a schema could not be looked at; empty: all could
};

SchemaCheck check_schemas(const config::HostConfig &config, const Context &context, const plugin::Module &module,
                          const std::filesystem::path &file) {
    SchemaCheck out;
    const plugin::Description &about = module.description();
    try {
        const Serving serving = find_serving(config, context, load_contracts(config));
        for (const auto &installed : serving.modules) {
            std::error_code ignored;
            if (installed->description().name == about.name) {
                out.handlers_lost = std::filesystem::equivalent(installed->origin(), file, ignored)
                                        ? lost_since_previous(config, context, module)
                                        : plugin::handlers_lost(*installed, module);
            }
        }
        const auto store = open_store(config);
        std::map<std::string, std::string> schemas; // by domain
        for (const plugin::DomainDefaults &offer : about.domains) {
            schemas[offer.name] = offer.schema.empty() ? offer.name : offer.schema;
        }
        for (const auto &[name, domain] : serving.domains) {
            if (domain.spec.plugin == about.name) {
                schemas[name] = domain.spec.schema;
            } else {
                schemas.erase(name); // another plugin's
            }
        }
        for (const auto &[domain, schema] : schemas) {
            if (!store->has_domain(schema)) {
                continue;
            }
            try {
                out.steps[domain] = store->domain(schema)->preview(about.schema);
            } catch (const store::SchemaWrong &failure) {
                out.refusal = plugin::PluginRefusal{file, "schema_misfit", "domain " + domain + ": " + failure.what(),
                                                    "mend the tables, or give the domain another \"service.schema\""};
                return out;
            }
        }
    } catch (const std::exception &failure) {
        out.unknown = failure.what();
    }
    return out;
}

void note_unknown(const SchemaCheck &schemas) {
    if (!schemas.unknown.empty()) {
        std::fprintf(stderr, "note: the plugin's tables could not be compared with the store's: %s\n",
                     printable_lines(schemas.unknown).c_str());
    }
}

Exit check(const PluginOptions &options, const Context &context) {
    plugin::PluginRefusal refusal;
    const auto module = load(options, context, refusal);
    if (!module) {
        refuse(refusal, options);
        return Exit::failed;
    }
    const plugin::Description &about = module->description();
    const SchemaCheck schemas = check_schemas(load_config(options.config).config, context, *module, module->origin());
    if (schemas.refusal) {
        refuse(*schemas.refusal, options);
        return Exit::failed;
    }
    note_unknown(schemas);
    if (options.json) {
        print_json({{"ok", true},
                    {"plugin", about.name},
                    {"version", about.version},
                    {"handlers_lost", schemas.handlers_lost},
                    {"migrations", schemas.steps}});
        return Exit::ok;
    }
    note_lost(*module, schemas.handlers_lost);
    print_line(options.plugin + " fits: " + about.name + " " + about.version + ", " +
               counted(module->handler_symbols().size(), "handler", "handlers"));
    for (const auto &[domain, steps] : schemas.steps) {
        for (const std::string &step : steps) {
            print_line(printable("domain " + domain + ", to come: " + step));
        }
    }
    return Exit::ok;
}

enum class Step { install, rollback, remove };

Exit put(const PluginOptions &options, const Context &context, Step step) {
    const auto loaded = load_config(options.config);
    plugin::InstallOptions place;
    place.directory = loaded.config.plugins_directory;
    place.private_directory = loaded.config.state_directory / "plugins";
    place.trial_command = {context.program.string(), "plugin-trial"};
    if (step == Step::install) {
        plugin::PluginRefusal ignored; // said by install_plugin itself
        const auto module = plugin::load_file(options.plugin, load_options(loaded.config, context, load_contracts(loaded.config)), ignored);
        const SchemaCheck schemas = module ? check_schemas(loaded.config, context, *module, options.plugin) : SchemaCheck();
        if (schemas.refusal) {
            refuse(*schemas.refusal, options);
            return Exit::failed;
        }
        note_unknown(schemas);
        if (module) {
            note_lost(*module, schemas.handlers_lost);
        }
    }
    plugin::InstallResult result = step == Step::install    ? plugin::install_plugin(options.plugin, place)
                                   : step == Step::rollback ? plugin::rollback_plugin(options.plugin, place)
                                                            : plugin::remove_plugin(options.plugin, place);
    if (result.refusal) {
        refuse(*result.refusal, options);
        return Exit::failed;
    }
    result.message = with_config(std::move(result.message), options.config);
    if (options.json) {
        print_json({{"ok", true},
                    {"plugin", result.plugin},
                    {"version", result.version},
                    {"file", result.file.string()},
                    {"message", result.message}});
    } else {
        print_line(printable(result.message));
    }
    return Exit::ok;
}

Exit scaffold(const PluginOptions &options) {
    const std::filesystem::path directory =
        options.directory.empty() ? std::filesystem::path(options.plugin) : std::filesystem::path(options.directory);
    write_plugin_template(options.plugin, directory);
    print_line("Wrote " + directory.string() + ". From nothing to a tested plugin:\n\n  cd " + directory.string() +
               "\n  cmake -B build && cmake --build build && ctest --test-dir build\n  weir plugin install build/plugins/" +
               options.plugin + ".so");
    return Exit::ok;
}

CLI::App *add(CLI::App &group, Context &context, const char *name, const char *about, const char *argument,
              Exit (*action)(const PluginOptions &, const Context &)) {
    CLI::App *command = group.add_subcommand(name, about);
    const auto options = std::make_shared<PluginOptions>();
    add_config_option(*command, options->config);
    if (argument) {
        command->add_option("plugin", options->plugin, argument)
            ->required()
            ->type_name(std::string(argument).substr(0, std::string(argument).find(':')));
    }
    command->add_flag("--json", options->json, "One JSON object");
    command->callback([&context, options, action] { context.action = [&context, options, action] { return action(*options, context); }; });
    return command;
}

} // namespace

void add_plugin(CLI::App &root, Context &context) {
    CLI::App *group = root.add_subcommand("plugin", "Write, check and install plugins");
    group->require_subcommand(0, 1);
    group->footer(
        "Plugins lie in plugins.directory (WEIR_PLUGINS_DIRECTORY); a running host takes over what changes there within a second.");

    add(*group, context, "list", "Show the plugins of the plugin directory, and why some are refused", nullptr, list);
    add(*group, context, "inspect", "Show what a plugin declares: domains, handlers, tables, settings", "PLUGIN: its name or its file",
        inspect)
        ->footer("Example:\n  weir plugin inspect linting --json | jq .tables");
    add(*group, context, "check", "See whether this host would take a plugin; end with 1 where not",
        "FILE: a .so, or an installed plugin's name", check)
        ->footer("The file is checked, then loaded in a child process, so that one that crashes does no harm.\n\nExample:\n  weir plugin "
                 "check build/audit.so");
    add(*group, context, "install", "Check a plugin and put it in place, or in the place of its predecessor", "FILE: the .so",
        [](const PluginOptions &options, const Context &shared) { return put(options, shared, Step::install); })
        ->footer("The old file is kept for 'rollback'. A running host drains the old generation and goes on with the new one.\n\n"
                 "Example:\n  weir plugin install -c configs/embedded.json build/audit.so");
    add(*group, context, "rollback", "Bring a plugin's predecessor back; again, to go forward", "NAME: the plugin",
        [](const PluginOptions &options, const Context &shared) { return put(options, shared, Step::rollback); });
    add(*group, context, "remove", "Take a plugin out; its domains drain and leave", "NAME: the plugin",
        [](const PluginOptions &options, const Context &shared) { return put(options, shared, Step::remove); })
        ->footer("Its tables stay as they are. 'weir plugin rollback NAME' brings it back.");

    CLI::App *create = group->add_subcommand("new", "Write a plugin to begin with, and its test, into a new directory");
    const auto options = std::make_shared<PluginOptions>();
    create->add_option("name", options->plugin, "The plugin's name: [a-z][a-z0-9-]*")->required()->type_name("NAME");
    create->add_option("--directory", options->directory, "Where to [./NAME]")->type_name("DIRECTORY");
    create->footer("It builds against the installed SDK (find_package(weir-sdk)); its CMakeLists.txt says how where that lies "
                   "elsewhere.\n\nExample:\n  weir plugin new audit");
    create->callback([&context, options] { context.action = [options] { return scaffold(*options); }; });
}

void add_plugin_trial(CLI::App &root, Context &context) {
    CLI::App *command = root.add_subcommand("plugin-trial", "Load a plugin and tell the parent how it went");
    const auto file = std::make_shared<std::string>();
    command->add_option("file", *file)->required();
    command->callback([&context, file] { context.action = [file]() -> Exit { std::_Exit(plugin::trial_main(*file)); }; });
}

} // namespace weir::cli
