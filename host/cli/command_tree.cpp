// SPDX-License-Identifier: Apache-2.0
#include "command_tree.hpp"

#include <CLI/CLI.hpp>

namespace weir::cli {

namespace {

CommandInfo describe(const CLI::App &command, const std::string &before) {
    CommandInfo info;
    info.name = command.get_name();
    info.words = before + info.name;
    info.group = command.get_group();
    info.description = command.get_description();
    info.footer = command.get_footer();
    std::vector<OptionInfo> arguments;
    for (const CLI::Option *option : command.get_options()) {
        if (option->get_group().empty()) {
            continue;
        }
        OptionInfo about;
        for (const std::string &name : option->get_snames()) {
            about.names.push_back("-" + name);
        }
        for (const std::string &name : option->get_lnames()) {
            about.names.push_back("--" + name);
        }
        about.value = option->get_type_size_max() == 0 ? "" : option->get_type_name();
        about.value.erase(std::min(about.value.find(':'), about.value.size())); // what CLI11 adds of validators
        about.description = option->get_description();
        about.required = option->get_required();
        about.repeated = option->get_items_expected_max() > 1;
        (about.names.empty() ? arguments : info.options).push_back(std::move(about));
    }
    info.options.insert(info.options.end(), arguments.begin(), arguments.end());
    for (const CLI::App *each : command.get_subcommands([](const CLI::App *) { return true; })) {
        if (!each->get_group().empty()) {
            info.commands.push_back(describe(*each, info.words + " "));
        }
    }
    return info;
}

void collect(const CommandInfo &command, std::vector<const CommandInfo *> &all) {
    all.push_back(&command);
    for (const CommandInfo &each : command.commands) {
        collect(each, all);
    }
}

} // namespace

CommandInfo describe_commands(const CLI::App &root) { return describe(root, ""); }

std::vector<const CommandInfo *> flatten(const CommandInfo &root) {
    std::vector<const CommandInfo *> all;
    collect(root, all);
    return all;
}

std::string words_after(const CommandInfo &command) {
    std::string words;
    for (const CommandInfo &each : command.commands) {
        words += (words.empty() ? "" : " ") + each.name;
    }
    for (const OptionInfo &option : command.options) {
        if (!option.names.empty()) {
            words += (words.empty() ? "" : " ") + option.names.back();
        }
    }
    return words;
}

} // namespace weir::cli
