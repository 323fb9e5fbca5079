// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "hints.hpp"
#include "host_access.hpp"
#include "json_text.hpp"
#include "status_report.hpp"

#include "event/time.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <memory>
#include <unistd.h>

namespace weir::cli {

namespace {

/// The host writes its status each second; one that is this old was left by a host that is gone, or hangs.
constexpr event::Micros kStale = 10'000'000;
/// In another namespace of processes its number says nothing; one that still writes is never this late.
constexpr event::Micros kLate = 2'500'000;

struct StatusOptions {
    std::string config;
    std::string state_directory;
    bool ready = false;
    bool json = false;
};

std::string ago(event::Micros age) {
    const std::int64_t tenths = std::max<event::Micros>(age, 0) / 100'000;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s ago";
}

/// What the file says, with its age; null, with a reason, where it tells of no running host.
OrderedJson read_status(const std::filesystem::path &file, std::string &reason) {
    std::ifstream in(file);
    OrderedJson status = in ? OrderedJson::parse(in, nullptr, false) : OrderedJson();
    if (!in.is_open()) {
        if (access(file.parent_path().c_str(), X_OK) != 0 && errno == EACCES) {
            throw Failure(Exit::unavailable, file.parent_path().string() +
                                                 " (state_directory) can't be looked into by this user, so that whether a host "
                                                 "runs here is not known; ask as the user that runs Weir, or as root");
        }
        if (access(file.c_str(), F_OK) == 0) {
            throw Failure(Exit::unavailable,
                          file.string() + " can't be read by this user, so that how the host is is not known; ask as the user that runs "
                                          "Weir, or as root");
        }
        reason = "no host is running here (" + file.string() + " is not there)";
        return nullptr;
    }
    const auto time = status.is_object() ? event::parse_time(status.value("time", "")) : std::nullopt;
    if (!time || !status["domains"].is_array()) {
        reason = file.string() + " can't be understood; another version of weir may have written it";
        return nullptr;
    }
    const event::Micros age = event::now() - *time;
    status["age_ms"] = age / 1000;
    const std::int64_t pid = status.value("pid", std::int64_t{0});
    const std::string lock = status.value("lock", "");
    if (!lock.empty() && lock.find('/') == std::string::npos && is_let_go(file.parent_path() / lock)) {
        reason = "the host of process " + std::to_string(pid) + " is gone: it was killed; what it said last was said " + ago(age);
        return nullptr;
    }
    // Of one that holds no lock: without rights to signal it, or from another process namespace, only the age of what it said can tell.
    if (pid > 0 && kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH && age > kLate) {
        reason = "the host of process " + std::to_string(pid) + " is gone: it was killed";
        return nullptr;
    }
    if (age > kStale) {
        reason = "the host of process " + status.value("pid", OrderedJson()).dump() + " has said nothing since " +
                 status.value("time", "") + ": it was killed, or it hangs";
        return nullptr;
    }
    return status;
}

std::string text_of(const OrderedJson &object, const char *name) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? "-" : found->is_string() ? found->get<std::string>() : found->dump();
}

/// What the domains have to do and to be looked after, by whomever it is done.
void show_domains(const OrderedJson &domains) {
    Table table({"DOMAIN", "PLUGIN", "PHASE", "READY", "LAG", "UNACKNOWLEDGED", "HELD", "PENDING DEAD LETTERS"});
    for (const OrderedJson &domain : domains) {
        const std::string phase = text_of(domain, "phase");
        const std::string ready = domain.value("ready", false) ? "yes" : phase == "stopped" ? "-" : "no";
        table.row({text_of(domain, "domain"), text_of(domain, "plugin") + " " + text_of(domain, "version"), phase, ready,
                   text_of(domain, "lag"), text_of(domain, "unacknowledged"), text_of(domain, "held"),
                   text_of(domain, "dead_letters_pending")});
    }
    table.print();
}

void show_counts(const OrderedJson &status) {
    print_line("");
    print_line("Messages that this process has taken since it started (" + text_of(status, "started") + "), and what came of them:");
    Table table({"DOMAIN", "MESSAGES", "APPLIED", "DUPLICATES", "IGNORED", "NEW DEAD LETTERS"});
    for (const OrderedJson &domain : status["domains"]) {
        const OrderedJson counts = domain.value("counts", OrderedJson::object());
        table.row({text_of(domain, "domain"), text_of(counts, "messages"), text_of(counts, "applied"), text_of(counts, "duplicates"),
                   text_of(counts, "ignored"), text_of(counts, "dead_letters")});
    }
    table.print();
}

void show(const OrderedJson &status, const std::string &config_file) {
    const event::Micros age = status.value("age_ms", std::int64_t{0}) * 1000;
    print_line("host of process " + text_of(status, "pid") + ", as it said " + ago(age) +
               (age > kLate ? ": it should say it each second, and hangs or stands still" : ""));
    show_domains(status["domains"]);
    show_counts(status);
    print_line("");
    for (const OrderedJson &domain : status["domains"]) {
        for (const OrderedJson &missing : domain.value("missing_topics", OrderedJson::array())) {
            print_line(printable_lines(text_of(domain, "domain") + ": topic '" + text_of(missing, "topic") +
                                       "' is not on the broker, the domain waits for it; " + text_of(missing, "remedy")));
        }
        if (const std::string refused = domain.value("refused", ""); !refused.empty()) {
            print_line(printable_lines(text_of(domain, "domain") + ": refused: " + refused));
        }
        if (const std::string reason = domain.value("reason", ""); !reason.empty()) {
            print_line(printable_lines(text_of(domain, "domain") + ": " + reason));
        }
        if (const std::string overdue = domain.value("overdue_routes", ""); !overdue.empty()) {
            print_line(printable_lines(text_of(domain, "domain") + ": " + overdue));
        }
        const auto letters = domain.find("dead_letters_pending");
        if (letters != domain.end() && letters->is_number_unsigned() && letters->get<std::uint64_t>() > 0) {
            const std::string name = text_of(domain, "domain");
            print_line(printable(name + ": " + counted(letters->get<std::uint64_t>(), "dead letter waits", "dead letters wait") +
                                 with_config(" to be replayed or dropped: 'weir deadletter list -d " + name + "'", config_file)));
        }
    }
    for (const OrderedJson &name : status.value("disabled", OrderedJson::array())) {
        if (std::none_of(status["domains"].begin(), status["domains"].end(),
                         [&](const OrderedJson &domain) { return domain.value("domain", OrderedJson()) == name; })) {
            print_line(printable(name.get<std::string>() + ": not served, since its configuration switches it off (\"enabled\": false)"));
        }
    }
    for (const OrderedJson &plugin : status.value("refused_plugins", OrderedJson::array())) {
        print_line(printable_lines(text_of(plugin, "file") + ": refused (" + text_of(plugin, "code") + "): " + text_of(plugin, "message") +
                                   "; " + text_of(plugin, "remedy")));
    }
    const OrderedJson faults = status.value("refused_configuration", OrderedJson::array());
    for (const OrderedJson &fault : faults) {
        print_line(printable_lines(text_of(fault, "where") + ": refused: " + text_of(fault, "reason")));
    }
    if (!faults.empty()) {
        print_line("The configuration as it is now is wrong: the host goes on with the one before, and would not start again.");
    }
}

/// The state directory that the configuration names. A host that runs can be asked about although its files are wrong by now: what is wrong
/// is only said, unless it leaves the place open.
std::filesystem::path state_directory(const StatusOptions &options) {
    if (!options.state_directory.empty()) {
        return options.state_directory;
    }
    const config::Loaded loaded = config::load(options.config, config::process_environment());
    for (const config::Problem &problem : loaded.problems) {
        std::fprintf(stderr, "%s: %s\n", printable(problem.where).c_str(), printable_lines(problem.what).c_str());
    }
    if (loaded.config.state_directory.empty()) {
        throw Failure(Exit::configuration, "the configuration is wrong and doesn't tell where its host writes; --state-directory DIR does");
    }
    return loaded.config.state_directory;
}

/// Of every host on the directory that runs, what it says; where none does, the reason of the first.
std::vector<OrderedJson> running_hosts(const std::filesystem::path &directory, std::string &reason) {
    std::vector<OrderedJson> hosts;
    for (const std::filesystem::path &file : status_files(directory)) {
        std::string why;
        OrderedJson status = read_status(file, why);
        if (!status.is_null()) {
            hosts.push_back(std::move(status));
        } else if (reason.empty()) {
            reason = why;
        }
    }
    return hosts;
}

/// Whether something that the host was given is not in force: a plugin's file, a newer generation, a change of its configuration.
bool refuses(const OrderedJson &host) {
    const OrderedJson &domains = host["domains"];
    return !host.value("refused_plugins", OrderedJson::array()).empty() ||
           !host.value("refused_configuration", OrderedJson::array()).empty() ||
           std::any_of(domains.begin(), domains.end(), [](const OrderedJson &domain) { return !domain.value("refused", "").empty(); });
}

Exit status(const StatusOptions &options) {
    std::string reason;
    const std::vector<OrderedJson> hosts = running_hosts(state_directory(options), reason);
    const bool ready =
        !hosts.empty() && std::all_of(hosts.begin(), hosts.end(), [](const OrderedJson &host) { return host.value("ready", false); });
    const bool good = ready && (options.ready || std::none_of(hosts.begin(), hosts.end(), refuses));
    if (options.json) {
        OrderedJson answer{{"running", !hosts.empty()}};
        if (!hosts.empty()) {
            answer.update(hosts.front());
        } else {
            answer["reason"] = reason;
        }
        answer["ready"] = ready;
        if (hosts.size() > 1) {
            answer["other_hosts"] = std::vector<OrderedJson>(hosts.begin() + 1, hosts.end());
        }
        print_json(answer);
        return good ? Exit::ok : Exit::failed;
    }
    if (hosts.empty()) {
        print_line(reason);
    }
    for (const OrderedJson &host : hosts) {
        show(host, options.config);
    }
    return good ? Exit::ok : Exit::failed;
}

} // namespace

void add_status(CLI::App &root, Context &context) {
    const auto options = std::make_shared<StatusOptions>();
    CLI::App *command = root.add_subcommand("status", "Show how the running host's domains are");
    add_config_option(*command, options->config);
    command->add_option("--state-directory", options->state_directory, "Where to look, instead of asking the configuration")
        ->type_name("DIR");
    command->add_flag("--ready", options->ready, "End with 0 where every domain is ready, whatever is refused beside: for a probe");
    command->add_flag(
        "--json", options->json,
        "One JSON object: running, pid, started, time, age_ms, ready, domains with phase, reason, missing_topics, refused, lag, "
        "unacknowledged, dead_letters_pending, sample_age_ms and counts, disabled, refused_plugins, refused_configuration, "
        "other_hosts");
    command->footer(
        "Ends with 0 where a host runs, every domain is ready and nothing is refused: no plugin's file, no newer generation, no change of\n"
        "the configuration. Else with 1; with --ready whatever is refused, so that a probe ends no host that serves.\n"
        "\n"
        "Of the domain, whoever serves it, some seconds ago (- where not known): LAG is messages that its group was never given,\n"
        "UNACKNOWLEDGED those given and not acknowledged, PENDING DEAD LETTERS those neither replayed nor dropped. Of this process now:\n"
        "HELD is events that wait for a retry, or behind one. The second table counts what this process has done since it started.\n"
        "APPLIED counts stale events too: a guard has turned their change away, since the row is from a later one.\n"
        "\n"
        "The host writes what is shown here to status.json in its state_directory, once a second.\n"
        "\n"
        "Examples:\n"
        "  until weir status -c configs/embedded.json --ready; do sleep 1; done\n"
        "  weir status -c configs/embedded.json --json | jq '.domains[] | {domain, lag, dead_letters_pending}'");
    command->callback([&context, options] { context.action = [options] { return status(*options); }; });
}

} // namespace weir::cli
