// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

/// How every command ends. Scripts rely on these: a number never changes its meaning. `weir --help` and weir(1) list them.
enum class Exit : int {
    ok = 0,
    failed = 1,        ///< it ran, and the answer is no: a refused file or line, a domain that isn't ready, a fault found
    usage = 2,         ///< the command line is wrong
    not_drained = 3,   ///< `run --until-drained`: work was left at `--drain-timeout`
    configuration = 4, ///< the configuration is wrong, or asks for what isn't there
    unavailable = 5,   ///< the broker or the store can't be reached or written: the same command may work later
    cancelled = 130,   ///< stopped by SIGINT or SIGTERM before its work was done
};

/// Ends a command: the message goes to standard error behind "weir: ", and names what to change.
class Failure : public std::runtime_error {
public:
    Failure(Exit code, const std::string &message) : std::runtime_error(message), code_(code) {}
    Exit code() const noexcept { return code_; }

private:
    Exit code_;
};

/// What commands share. One a process, outlives them.
struct Context {
    std::filesystem::path program; ///< the running binary, absolute: also what plugins are tried with
    /// Set by the callback of the command that was named; run after the whole command line has been understood. It may throw Failure and
    /// whatever brokers, stores and plugins throw: `Program` turns each into a message and an exit code.
    std::function<Exit()> action;
    /// What the command line named with -c, so that commands which messages advise can be pasted; empty: nothing.
    std::string config_file;
    /// Of a service: standard error is its log, and why it ends is a line of that.
    bool logs = false;
};

/**
 * Adds one command to the tree. Options live in a std::shared_ptr that the action keeps:
 *
 *     void add_topics(CLI::App &root, Context &context) {
 *         auto options = std::make_shared<TopicsOptions>();
 *         CLI::App *command = root.add_subcommand("topics", "Show topics");
 *         command->callback([&context, options] { context.action = [options] { return topics(*options); }; });
 *     }
 */
using AddCommand = void (*)(CLI::App &root, Context &context);

/// A group of commands as `weir --help` shows them.
struct CommandGroup {
    std::string title;
    std::vector<AddCommand> commands;
};

/// Builds the tree, parses, runs, and turns whatever is thrown into a message and an exit code.
/// @return the process's exit status
int run_program(const std::vector<CommandGroup> &groups, int argc, const char *const *argv);

} // namespace weir::cli
