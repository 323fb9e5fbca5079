// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

/// An option or argument of a command.
struct OptionInfo {
    std::vector<std::string> names; ///< "-c", "--config"; none: an argument
    std::string value;              ///< "FILE"; empty: a flag
    std::string description;
    bool required = false;
    bool repeated = false;
};

/// A command as it was declared, for completion scripts and the manual page. Hidden ones are left out.
struct CommandInfo {
    std::string words; ///< "weir deadletter list"
    std::string name;
    std::string group;
    std::string description;
    std::string footer;
    std::vector<OptionInfo> options; ///< arguments last
    std::vector<CommandInfo> commands;
};

CommandInfo describe_commands(const CLI::App &root);

/// Every command of a tree, the root first.
std::vector<const CommandInfo *> flatten(const CommandInfo &root);

/// The words that may follow a command: subcommands, and the long names of its options.
std::string words_after(const CommandInfo &command);

} // namespace weir::cli
