// SPDX-License-Identifier: Apache-2.0
#include "command.hpp"
#include "hints.hpp"
#include "host_access.hpp"
#include "output.hpp"
#include "suggest.hpp"

#include "broker/broker.hpp"
#include "log/log.hpp"
#include "plugin/catalog.hpp"
#include "store/store.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace weir::cli {

namespace {

constexpr const char *kAbout =
    "Weir runs plugins over event streams: each event has its effect in the plugin's own database schema exactly once,\n"
    "or becomes a dead letter with its reason.";

constexpr const char *kFooter = "Begin here:\n"
                                "  weir doctor                             see whether this machine is fit for it\n"
                                "  weir run -c configs/embedded.json       serve the plugins of the plugin directory\n"
                                "  weir generate identity --count 1000 > users.jsonl\n"
                                "  weir publish -c configs/embedded.json --topic identity.user.v1 users.jsonl\n"
                                "  weir COMMAND --help                     what a command does, with examples\n"
                                "\n"
                                "Exit codes:\n"
                                "  0    done\n"
                                "  1    it ran, and the answer is no: refused, failed, not ready, a fault found\n"
                                "  2    the command line is wrong\n"
                                "  3    run --until-drained: work was left at the timeout\n"
                                "  4    the configuration is wrong, or asks for what isn't there\n"
                                "  5    the broker or the store can't be reached or written\n"
                                "  130  stopped by SIGINT or SIGTERM before the work was done";

void log_failure(Exit code, const std::string &message) { log::error("host.failed", message, {{"exit_code", static_cast<int>(code)}}); }

int say(const Context &context, Exit code, const std::string &text) {
    const std::string message = with_config(text, context.config_file);
    if (context.logs && log::writes_json()) {
        log_failure(code, message);
        return static_cast<int>(code);
    }
    std::fprintf(stderr, "weir: %s\n", printable_lines(message).c_str());
    return static_cast<int>(code);
}

/// The command that the line got to, for what is said about the rest of it.
const CLI::App &deepest(const CLI::App &app) {
    const CLI::App *at = &app;
    for (auto chosen = at->get_subcommands(); !chosen.empty(); chosen = at->get_subcommands()) {
        at = chosen.front();
    }
    return *at;
}

std::string words_of(const CLI::App &command) {
    const CLI::App *parent = command.get_parent();
    return parent ? words_of(*parent) + " " + command.get_name() : command.get_name();
}

int refuse_line(const CLI::App &root, const CLI::ParseError &error) {
    const CLI::App &command = deepest(root);
    std::string message = error.what();
    std::vector<std::string> known;
    for (const CLI::App *each : command.get_subcommands([](const CLI::App *) { return true; })) {
        if (!each->get_group().empty()) {
            known.push_back(each->get_name());
        }
    }
    for (const CLI::Option *each : command.get_options()) {
        for (const std::string &name : each->get_lnames()) {
            known.push_back("--" + name);
        }
    }
    const std::vector<std::string> rest = root.remaining(true);
    if (dynamic_cast<const CLI::ExtrasError *>(&error) != nullptr && !rest.empty()) {
        const std::string hint = nearest(rest.front(), known);
        const bool command_wanted = !command.get_subcommands([](const CLI::App *) { return true; }).empty();
        message = (command_wanted && rest.front().front() != '-' ? "there is no command '" : "this is not understood: '") + rest.front() +
                  "'" + (hint.empty() ? "" : "; did you mean '" + hint + "'?");
    }
    configure_log_by_environment();
    if (command.get_name() == "run" && log::writes_json()) {
        log_failure(Exit::usage, message + "; see '" + words_of(command) + " --help'");
        return static_cast<int>(Exit::usage);
    }
    std::fprintf(stderr, "weir: %s\nSee '%s --help'.\n", printable(message).c_str(), words_of(command).c_str());
    return static_cast<int>(Exit::usage);
}

/// What went wrong with a server or a file, behind the key to change where the message itself doesn't name it.
int say_of(const Context &context, Exit code, const char *what, const std::string &key, const std::string &variable,
           const std::string &message) {
    const bool named = message.find(key) != std::string::npos;
    return say(context, code, named ? message : "the " + std::string(what) + " (" + key + ", " + variable + "): " + message);
}

int say_of_broker(const Context &context, Exit code, const std::string &message) {
    return message.starts_with("redis.url of ") ? say(context, code, message)
                                                : say_of(context, code, "broker", "broker.url", "WEIR_BROKER_URL", message);
}
int say_of_store(const Context &context, Exit code, const std::string &message) {
    return say_of(context, code, "store", "store.url", "WEIR_STORE_URL", message);
}

int run_action(const Context &context) {
    try {
        const Exit code = context.action();
        return std::fflush(stdout) == 0 ? static_cast<int>(code) : say(context, Exit::failed, "standard output can't be written");
    } catch (const Failure &failure) {
        return say(context, failure.code(), failure.what());
    } catch (const broker::Unavailable &failure) {
        return say_of_broker(context, Exit::unavailable, failure.what());
    } catch (const broker::Misconfigured &failure) {
        return say_of_broker(context, Exit::configuration, failure.what());
    } catch (const store::Misconfigured &failure) {
        return say_of_store(context, Exit::configuration, failure.what());
    } catch (const store::Unavailable &failure) {
        return say_of_store(context, Exit::unavailable, failure.what());
    } catch (const store::SchemaWrong &failure) {
        return say_of_store(context, Exit::configuration, failure.what());
    } catch (const store::RunAgain &failure) {
        return say(context, Exit::unavailable, std::string("the store is busy; run the command again: ") + failure.what());
    } catch (const store::InDoubt &failure) {
        return say(context, Exit::unavailable,
                   std::string("whether the store committed is not known; run the command again, it does nothing twice: ") +
                       failure.what());
    } catch (const plugin::PluginEnvironmentError &failure) {
        return say(context, Exit::configuration, failure.what());
    } catch (const std::exception &failure) {
        return say(context, Exit::failed, failure.what());
    }
}

} // namespace

int run_program(const std::vector<CommandGroup> &groups, int argc, const char *const *argv) {
    Context context;
    std::error_code failure;
    context.program = std::filesystem::read_symlink("/proc/self/exe", failure);
    CLI::App root(kAbout, "weir");
    root.set_help_flag("-h,--help", "Show this help");
    root.set_version_flag("--version", "weir " WEIR_VERSION, "Show the version");
    root.get_formatter()->column_width(34);
    root.require_subcommand(0, 1);
    for (const CommandGroup &group : groups) {
        for (const AddCommand add : group.commands) {
            const auto before = root.get_subcommands([](const CLI::App *) { return true; }).size();
            add(root, context);
            const auto all = root.get_subcommands([](const CLI::App *) { return true; });
            for (std::size_t at = before; at < all.size(); ++at) {
                all[at]->group(group.title);
            }
        }
    }
    root.footer(kFooter); // after the commands, which would inherit it
    try {
        root.parse(argc, argv);
    } catch (const CLI::Success &wanted) { // --help, --version
        return root.exit(wanted);
    } catch (const CLI::ParseError &error) {
        return refuse_line(root, error);
    }
    if (const CLI::Option *config = deepest(root).get_option_no_throw("--config"); config != nullptr && config->count() > 0) {
        context.config_file = config->results().back();
    }
    if (!context.action) {
        std::fputs(root.help().c_str(), stderr); // of the command that the line got to
        return static_cast<int>(Exit::usage);
    }
    configure_log_by_environment(); // until a command says otherwise: operators asked for an answer
    return run_action(context);
}

} // namespace weir::cli
