// SPDX-License-Identifier: Apache-2.0
#include "command_tree.hpp"
#include "commands.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>

namespace weir::cli {

namespace {

/// Text that roff takes as it is. [groff(7), "Escapes"]
std::string plain(const std::string &text) {
    std::string out;
    for (const char c : text) {
        if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
            out += "\\&"; // not a request
        }
        out += c == '\\'   ? "\\e"
               : c == '-'  ? "\\-"
               : c == '\'' ? "\\(aq"
               : c == '`'  ? "\\(ga"
               : c == '^'  ? "\\(ha"
               : c == '~'  ? "\\(ti"
                           : std::string(1, c);
    }
    return out;
}

std::string bold(const std::string &text) { return "\\fB" + plain(text) + "\\fR"; }
std::string italic(const std::string &text) { return "\\fI" + plain(text) + "\\fR"; }

std::string literal(const std::string &text) { return ".nf\n" + plain(text) + "\n.fi\n"; }

std::string option_text(const OptionInfo &option) {
    std::string tag;
    for (const std::string &name : option.names) {
        tag += (tag.empty() ? "" : ", ") + bold(name);
    }
    if (!option.value.empty()) {
        tag += (tag.empty() ? "" : " ") + italic(option.value) + (option.repeated ? "..." : "");
    }
    const std::string about = option.description + (option.required && !option.names.empty() ? " (required)" : "");
    return ".TP\n" + tag + "\n" + plain(about) + "\n";
}

std::string synopsis(const CommandInfo &command) {
    std::string text = bold(command.words);
    bool optional = false;
    for (const OptionInfo &option : command.options) {
        optional = optional || (!option.names.empty() && !option.required);
        if (option.required && !option.names.empty()) {
            text += " " + bold(option.names.back()) + " " + italic(option.value);
        }
    }
    text += optional ? " [" + italic("options") + "]" : "";
    for (const OptionInfo &option : command.options) {
        if (option.names.empty()) {
            text += option.required ? " " + italic(option.value) : " [" + italic(option.value) + (option.repeated ? "..." : "") + "]";
        }
    }
    return text;
}

std::string command_text(const CommandInfo &command) {
    std::string text = ".SS " + plain(command.words) + "\n" + synopsis(command) + "\n.PP\n" + plain(command.description) + ".\n";
    for (const OptionInfo &option : command.options) {
        if (option.names.empty() || option.names.back() != "--help") {
            text += option_text(option);
        }
    }
    return command.footer.empty() ? text : text + ".PP\n" + literal(command.footer);
}

constexpr const char *kRest = R"(.SH EXIT STATUS
.TP
\fB0\fR
Done.
.TP
\fB1\fR
It ran, and the answer is no: refused, failed, not ready, a fault found.
.TP
\fB2\fR
The command line is wrong.
.TP
\fB3\fR
\fBrun \-\-until\-drained\fR: work was left at the timeout.
.TP
\fB4\fR
The configuration is wrong, or asks for what isn\(aqt there.
.TP
\fB5\fR
The broker or the store can\(aqt be reached or written; the same command may work later.
.TP
\fB130\fR
Stopped by SIGINT or SIGTERM before the work was done.
.SH ENVIRONMENT
Every key of the configuration is overridden by the variable \fBWEIR_\fR and the key\(aqs path in capitals, with \fB_\fR between the levels.
.TP
\fBWEIR_BROKER_URL\fR
Where topics live: \fBredis://\fIHOST\fR, \fBrediss://\fIHOST\fR with TLS, \fBredis+unix://\fISOCKET\fR or \fBembedded://\fIFILE\fR.
.TP
\fBWEIR_STORE_URL\fR
Where state lives: \fBpostgresql://\fIHOST\fB/\fIDATABASE\fR or \fBsqlite://\fIDIRECTORY\fR.
.TP
\fBWEIR_PLUGINS_DIRECTORY\fR
Where plugins are looked for.
.SH FILES
.TP
\fIstate_directory\fB/status.json\fR
How the running host is, written once a second; what \fBweir status\fR reads.
.TP
\fIstore directory\fB/\fIschema\fB.db\fR
A domain\(aqs tables; \fBsqlite3\fR(1) reads them.
.SH SEE ALSO
.BR sqlite3 (1)
)";

} // namespace

void add_man(CLI::App &root, Context &context) {
    CLI::App *command = root.add_subcommand("man", "Print the manual page");
    command->callback([&context, &root] {
        context.action = [&root] {
            const CommandInfo commands = describe_commands(root);
            std::string text = ".\\\" Made by 'weir man' from the tree of commands.\n.TH WEIR 1 \"\" \"weir " WEIR_VERSION
                               "\" \"User Commands\"\n"
                               ".SH NAME\nweir \\- run plugins over event streams\n.SH SYNOPSIS\n" +
                               bold("weir") + " " + italic("command") + " [" + italic("options") + "]\n.SH DESCRIPTION\n" +
                               plain(commands.description) + "\n.SH COMMANDS\n";
            for (const CommandInfo *each : flatten(commands)) {
                if (each->commands.empty()) {
                    text += command_text(*each);
                }
            }
            print(text + kRest);
            return Exit::ok;
        };
    });
}

} // namespace weir::cli
