// SPDX-License-Identifier: Apache-2.0
#include "command_tree.hpp"
#include "commands.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace weir::cli {

namespace {

bool is_file(const OptionInfo &option) { return option.value == "FILE" || option.value == "PLUGIN" || option.value == "DIRECTORY"; }

/// What follows an option, and what may stand at an argument's place, as patterns and words of a shell's `case`.
struct Words {
    std::string files;  ///< "-c|--config": a file follows
    std::string values; ///< options after which something follows that can't be known here
    bool argument_is_file = false;
};

Words words_of(const CommandInfo &command) {
    Words words;
    for (const OptionInfo &option : command.options) {
        if (option.names.empty()) {
            words.argument_is_file = words.argument_is_file || is_file(option);
        }
        for (const std::string &name : option.names) {
            std::string &pattern = is_file(option) ? words.files : words.values;
            if (!option.value.empty()) {
                pattern += (pattern.empty() ? "" : "|") + name;
            }
        }
    }
    return words;
}

/// Walks the words before the cursor to the command that they name; the same in bash and zsh.
std::string walk(const CommandInfo &root, const std::string &list) {
    std::string known;
    for (const CommandInfo *command : flatten(root)) {
        if (command != &root) {
            known += (known.empty() ? "'" : "|'") + command->words + "'";
        }
    }
    return "  command=weir\n"
           "  for word in " +
           list +
           "; do\n"
           "    case \"$command $word\" in\n"
           "      " +
           known +
           ") command=\"$command $word\" ;;\n"
           "    esac\n"
           "  done\n";
}

std::string bash(const CommandInfo &root) {
    std::string text = "# Completion of weir for bash. Made by 'weir completion bash'.\n"
                       "_weir() {\n"
                       "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\" command word\n"
                       "  COMPREPLY=()\n" +
                       walk(root, "\"${COMP_WORDS[@]:1:COMP_CWORD-1}\"") + "  case \"$command\" in\n";
    for (const CommandInfo *command : flatten(root)) {
        const Words words = words_of(*command);
        text += "    '" + command->words + "')\n";
        if (!words.files.empty()) {
            text +=
                "      case \"$previous\" in " + words.files + ") mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;; esac\n";
        }
        if (!words.values.empty()) {
            text += "      case \"$previous\" in " + words.values + ") return ;; esac\n";
        }
        text += "      mapfile -t COMPREPLY < <(compgen -W '" + words_after(*command) + "' -- \"$current\")\n";
        if (words.argument_is_file) {
            text += "      [[ $current == -* ]] || mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n";
        }
        text += "      ;;\n";
    }
    return text + "  esac\n"
                  "}\n"
                  "complete -o filenames -F _weir weir\n";
}

std::string zsh(const CommandInfo &root) {
    std::string text = "#compdef weir\n"
                       "# Completion of weir for zsh. Made by 'weir completion zsh'.\n"
                       "_weir() {\n"
                       "  local current=\"${words[CURRENT]}\" previous=\"${words[CURRENT-1]}\" command word\n" +
                       walk(root, "\"${(@)words[2,CURRENT-1]}\"") + "  case \"$command\" in\n";
    for (const CommandInfo *command : flatten(root)) {
        const Words words = words_of(*command);
        text += "    '" + command->words + "')\n";
        if (!words.files.empty()) {
            text += "      case \"$previous\" in " + words.files + ") _files; return ;; esac\n";
        }
        if (!words.values.empty()) {
            text += "      case \"$previous\" in " + words.values + ") return ;; esac\n";
        }
        text += "      compadd -- " + words_after(*command) + "\n";
        if (words.argument_is_file) {
            text += "      [[ $current == -* ]] || _files\n";
        }
        text += "      ;;\n";
    }
    return text + "  esac\n"
                  "}\n"
                  "if [[ $funcstack[1] == _weir ]]; then _weir \"$@\"; else compdef _weir weir; fi\n";
}

/// For a single-quoted string of fish.
std::string fish_quoted(const std::string &text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out + "'";
}

std::string fish(const CommandInfo &root) {
    std::string text = "# Completion of weir for fish. Made by 'weir completion fish'.\n"
                       "complete -c weir -f\n";
    for (const CommandInfo *command : flatten(root)) {
        // seen: the words of the command; not seen: a subcommand of it
        std::string condition = command == &root ? "__fish_use_subcommand" : "";
        std::size_t from = 5; // behind "weir "
        while (command != &root && from < command->words.size()) {
            const auto end = std::min(command->words.find(' ', from), command->words.size());
            condition +=
                (condition.empty() ? "" : "; and ") + std::string("__fish_seen_subcommand_from ") + command->words.substr(from, end - from);
            from = end + 1;
        }
        std::string deeper;
        for (const CommandInfo &each : command->commands) {
            deeper += " " + each.name;
        }
        if (command != &root && !deeper.empty()) {
            condition += "; and not __fish_seen_subcommand_from" + deeper;
        }
        for (const CommandInfo &each : command->commands) {
            text += "complete -c weir -n " + fish_quoted(condition) + " -a " + each.name + " -d " + fish_quoted(each.description) + "\n";
        }
        for (const OptionInfo &option : command->options) {
            std::string line = "complete -c weir -n " + fish_quoted(condition);
            for (const std::string &name : option.names) {
                line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
            }
            line += option.value.empty() ? "" : is_file(option) ? " -rF" : " -x";
            text += option.names.empty() ? (is_file(option) ? line + "\n" : "") : line + " -d " + fish_quoted(option.description) + "\n";
        }
    }
    return text;
}

} // namespace

void add_completion(CLI::App &root, Context &context) {
    CLI::App *command = root.add_subcommand("completion", "Print a completion script for a shell");
    const auto shell = std::make_shared<std::string>();
    command->add_option("shell", *shell, "bash, zsh or fish")
        ->required()
        ->type_name("SHELL")
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    command->footer("Examples:\n"
                    "  source <(weir completion bash)\n"
                    "  weir completion bash > /etc/bash_completion.d/weir\n"
                    "  weir completion zsh > \"${fpath[1]}/_weir\"\n"
                    "  weir completion fish > ~/.config/fish/completions/weir.fish");
    command->callback([&context, &root, shell] {
        context.action = [&root, shell] {
            const CommandInfo commands = describe_commands(root);
            print(*shell == "bash" ? bash(commands) : *shell == "zsh" ? zsh(commands) : fish(commands));
            return Exit::ok;
        };
    });
}

} // namespace weir::cli
