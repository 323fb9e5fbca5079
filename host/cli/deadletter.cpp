// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "commands.hpp"
#include "dead_letters.hpp"
#include "host_access.hpp"
#include "interrupt.hpp"
#include "message_text.hpp"
#include "number_check.hpp"
#include "serving.hpp"

#include "engine/dead_letter.hpp"
#include "engine/replay.hpp"
#include "operations/report.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace weir::cli {

namespace {

struct DeadLetterOptions {
    std::string config;
    std::string domain;
    std::string status = "pending";
    LetterChoice choice;
    std::size_t limit = 100;
    double rate = 0;
    bool dry_run = false;
    bool json = false;
};

/// A domain's dead letters, opened as every subcommand needs them.
struct Opened {
    config::Loaded loaded;
    event::Contracts contracts;
    Serving serving;
    const Serving::Domain *domain = nullptr; ///< null where the plugin directory can't serve it, and its tables are there
    std::unique_ptr<store::Store> store;
    std::unique_ptr<store::DomainStore> domain_store; ///< null: the domain never ran
};

/// Where the tables of a domain are that no plugin in the directory can serve; a plugin's own name for them is not known then.
std::string schema_of(const config::HostConfig &config, const std::string &domain) {
    std::string schema = domain;
    for (const config::DomainConfig &one : config.domains) {
        if (one.name == domain && !one.schema.empty()) {
            schema = one.schema;
        }
    }
    std::replace(schema.begin(), schema.end(), '-', '_');
    return schema;
}

void open(const DeadLetterOptions &options, const Context &context, Opened &out) {
    out.loaded = load_config(options.config);
    out.contracts = load_contracts(out.loaded.config);
    out.serving = find_serving(out.loaded.config, context, out.contracts);
    out.store = open_store(out.loaded.config);
    if (const auto found = out.serving.domains.find(options.domain); found != out.serving.domains.end()) {
        out.domain = &found->second;
        note_foreign_topic(options.choice.topic, found->second.spec);
    }
    // What is kept can be looked at and dropped without the plugin: it may be what was replaced by one that is refused.
    const std::string schema = out.domain ? out.domain->spec.schema : schema_of(out.loaded.config, options.domain);
    if (out.store->has_domain(schema)) {
        out.domain_store = out.store->domain(schema);
    } else {
        domain_named(out.serving, options.domain);
    }
}

/// The domain as the plugin in the directory serves it.
const Serving::Domain &serving_domain(const Opened &opened, const std::string &name) {
    if (opened.serving.disabled.contains(name)) {
        return domain_named(opened.serving, name); // it says all
    }
    try {
        return domain_named(opened.serving, name);
    } catch (const Failure &failure) {
        throw Failure(Exit::configuration, std::string(failure.what()) +
                                               ". A replay needs its plugin: install one that fits, or, where a host goes on with the one "
                                               "before, have that host do it: POST /api/deadletters/" +
                                               name + "/ID/replay");
    }
}

Exit list(const DeadLetterOptions &options, const Context &context) {
    Opened opened;
    open(options, context, opened);
    std::vector<store::DeadLetter> letters;
    bool more = false;
    if (opened.domain_store) {
        const auto session = opened.domain_store->open();
        LetterChoice choice = options.choice;
        choice.status = options.status == "all" ? std::nullopt : status_named(options.status);
        each_letter(*session, choice, [&](store::DeadLetter letter) {
            more = letters.size() == options.limit;
            if (!more) {
                letters.push_back(std::move(letter));
            }
            return !more;
        });
    }
    if (options.json) {
        OrderedJson array = OrderedJson::array();
        for (const store::DeadLetter &letter : letters) {
            array.push_back(operations::letter_json(letter));
        }
        print_json({{"domain", options.domain}, {"dead_letters", std::move(array)}, {"more", more}});
        return Exit::ok;
    }
    if (letters.empty()) {
        print_line("No dead letters" + (options.status == "all" ? std::string() : " that are " + options.status) + " in " + options.domain +
                   ".");
        return Exit::ok;
    }
    Table table({"ID", "EVENT TYPE", "TOPIC", "POSITION", "STATUS", "RETRIES", "REASON"});
    for (const store::DeadLetter &letter : letters) {
        table.row({std::to_string(letter.id), letter.event_type.empty() ? "-" : letter.event_type, letter.topic,
                   std::to_string(letter.partition) + "/" + letter.position, std::string(status_name(letter.status)),
                   std::to_string(letter.retry_count), letter.error_type + ": " + letter.error_message});
    }
    table.print();
    if (more) {
        std::fprintf(stderr, "There are more: --limit N shows them.\n");
    }
    return Exit::ok;
}

Exit show(const DeadLetterOptions &options, const Context &context) {
    Opened opened;
    open(options, context, opened);
    std::optional<store::DeadLetter> letter;
    if (opened.domain_store) {
        letter = find_letter(*opened.domain_store->open(), options.choice.ids.front());
    }
    if (!letter) {
        throw Failure(Exit::failed, "domain " + options.domain + " has no dead letter '" + options.choice.ids.front() +
                                        "'; 'weir deadletter list -d " + options.domain + " --status all' shows all");
    }
    OrderedJson object = operations::letter_json(*letter);
    const auto message = engine::message_of(*letter);
    if (options.json) {
        object["context"] = OrderedJson::parse(letter->context, nullptr, false);
        add_message(object, *message);
        print_json(object);
        return Exit::ok;
    }
    for (const auto &[name, value] : object.items()) {
        print_line(name + std::string(16 - std::min<std::size_t>(name.size(), 15), ' ') +
                   printable(value.is_string() ? value.get<std::string>() : value.dump()));
    }
    print_line("context         " + printable(letter->context));
    print_line("");
    for (const auto &[name, value] : message->fields) {
        print_line(printable(name) + ": " + printable(value));
    }
    if (!message->fields.empty()) {
        return Exit::ok;
    }
    print_line(printable(letter->event_data && !letter->event_data->empty() ? *letter->event_data : letter->raw));
    return Exit::ok;
}

/// What a replay or a drop did, letter by letter.
class Report {
public:
    Report(const DeadLetterOptions &options, const char *done) : options_(options), done_(done) {}

    void add(const store::DeadLetter &letter, const char *outcome, const event::Refusal &reason = {}, const char *decided = nullptr) {
        ++counts_[outcome];
        if (decided) {
            ++decided_[decided];
        }
        if (options_.json) {
            OrderedJson item{{"id", letter.id}, {"event_id", letter.event_id.text()}, {"outcome", outcome}};
            if (decided) {
                item["decided"] = decided;
            }
            if (!reason.type.empty()) {
                item["error_type"] = reason.type;
                item["error_message"] = reason.message;
            }
            letters_.push_back(std::move(item));
        } else {
            print_line(printable(std::to_string(letter.id) + " " + letter.event_id.text() + " " + letter.event_type + ": " + outcome +
                                 (decided ? ", " + meaning(decided) : "") +
                                 (reason.type.empty() ? "" : " (" + reason.type + ": " + reason.message + ")")));
        }
    }

    Exit finish(bool cancelled) {
        if (options_.json) {
            OrderedJson report{
                {"domain", options_.domain}, {"dry_run", options_.dry_run}, {"cancelled", cancelled}, {done_, counts_[done_]}};
            for (const auto &[decided, count] : decided_) {
                report[decided] = count;
            }
            report["failed"] = counts_["failed"];
            report["not_pending"] = counts_["not pending"];
            report["letters"] = std::move(letters_);
            print_json(report);
        } else {
            std::string decided;
            for (const auto &[name, count] : decided_) {
                decided += (decided.empty() ? " (" : ", ") + std::to_string(count) + " " + name;
            }
            print_line(options_.domain + ": " + std::to_string(counts_[done_]) + " " + done_ + decided + (decided.empty() ? "" : ")") +
                       ", " + std::to_string(counts_["failed"]) + " failed, " + std::to_string(counts_["not pending"]) + " not pending" +
                       (options_.dry_run ? " (a dry run: nothing was changed)" : ""));
        }
        return cancelled ? Exit::cancelled : counts_["failed"] > 0 ? Exit::failed : Exit::ok;
    }

private:
    const DeadLetterOptions &options_;
    const char *done_;
    /// What a replay came to, for people.
    static std::string meaning(std::string_view decided) {
        return decided == "stale"     ? "stale: a guard turned a change away, because the row is from a later event"
               : decided == "ignored" ? "ignored: the handler has nothing to do for it"
                                      : std::string(decided);
    }

    std::map<std::string, std::size_t> counts_;
    std::map<std::string, std::size_t> decided_{}; ///< of those that were done
    OrderedJson letters_ = OrderedJson::array();
};

/// Calls `act` for each letter that was chosen, no faster than `rate`, until SIGINT. @return whether it was cancelled
bool work_through(const DeadLetterOptions &options, store::DomainStore &domain_store, const Interrupt &interrupt,
                  const std::function<void(const store::DeadLetter &)> &act) {
    const auto session = domain_store.open();
    auto due = std::chrono::steady_clock::now();
    each_letter(*session, options.choice, [&](const store::DeadLetter &letter) {
        if (options.rate > 0) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - std::chrono::steady_clock::now());
            interrupt.wait_for(left);
            due =
                std::max(due, std::chrono::steady_clock::now()) + std::chrono::microseconds(static_cast<std::int64_t>(1e6 / options.rate));
        }
        if (interrupt.requested()) {
            return false;
        }
        act(letter);
        return true;
    });
    return interrupt.requested();
}

void require_choice(const DeadLetterOptions &options, const char *verb) {
    const LetterChoice &choice = options.choice;
    if (choice.ids.empty() && !choice.all && choice.event_type.empty() && choice.error_type.empty() && choice.topic.empty()) {
        throw Failure(Exit::usage, std::string("which dead letters? Name ids, or --event-type, --error-type or --topic, or --all to ") +
                                       verb + " every pending one");
    }
    if (choice.all && !choice.ids.empty()) {
        throw Failure(Exit::usage, "either ids or --all");
    }
}

/// A replay begins by bringing the tables up to date, a dry run must not.
void refuse_pending_migration(store::DomainStore &domain_store, const Serving::Domain &domain) {
    const auto steps = domain_store.preview(domain.module->description().schema);
    if (!steps.empty()) {
        throw Failure(Exit::failed, "a dry run changes nothing, and the tables are not yet as this plugin declares them (to come: " +
                                        steps.front() + (steps.size() > 1 ? " and " + std::to_string(steps.size() - 1) + " more" : "") +
                                        "); 'weir run' brings them up to date, or a replay without --dry-run");
    }
}

Exit replay(const DeadLetterOptions &options, const Context &context) {
    require_choice(options, "replay");
    const Interrupt interrupt;
    Opened opened;
    open(options, context, opened);
    Report report(options, options.dry_run ? "would apply" : "replayed");
    if (!opened.domain_store) {
        return report.finish(false);
    }
    const Serving::Domain &domain = serving_domain(opened, options.domain);
    if (options.dry_run) {
        refuse_pending_migration(*opened.domain_store, domain);
    }
    engine::Replayer replayer(domain.spec, domain.module, *opened.store, opened.contracts, opened.loaded.config.state_directory);
    const bool cancelled = work_through(options, *opened.domain_store, interrupt, [&](const store::DeadLetter &letter) {
        const engine::ReplayResult result = replayer.replay(letter, options.dry_run);
        const char *decided = store::outcome_name(result.decided).data(); // of literals
        switch (result.outcome) {
        case engine::ReplayOutcome::replayed:
            return report.add(letter, "replayed", {}, decided);
        case engine::ReplayOutcome::would_apply:
            return report.add(letter, "would apply", {}, decided);
        case engine::ReplayOutcome::failed:
            return report.add(letter, "failed", result.reason);
        case engine::ReplayOutcome::not_pending:
            return report.add(letter, "not pending");
        }
    });
    return report.finish(cancelled);
}

Exit drop(const DeadLetterOptions &options, const Context &context) {
    require_choice(options, "drop");
    const Interrupt interrupt;
    Opened opened;
    open(options, context, opened);
    Report report(options, options.dry_run ? "would drop" : "dropped");
    if (!opened.domain_store) {
        return report.finish(false);
    }
    const auto session = opened.domain_store->open();
    const bool cancelled = work_through(options, *opened.domain_store, interrupt, [&](const store::DeadLetter &letter) {
        const bool dropped = options.dry_run ? letter.status == store::DeadLetterStatus::pending : drop_letter(*session, letter);
        report.add(letter, !dropped ? "not pending" : options.dry_run ? "would drop" : "dropped");
    });
    return report.finish(cancelled);
}

using Command = Exit (*)(const DeadLetterOptions &, const Context &);

std::shared_ptr<DeadLetterOptions> add(CLI::App &command, Context &context, Command action) {
    auto options = std::make_shared<DeadLetterOptions>();
    add_config_option(command, options->config);
    command.add_option("-d,--domain", options->domain, "Whose dead letters")->required()->type_name("DOMAIN");
    command.add_flag("--json", options->json, "One JSON object");
    command.callback([&context, options, action] { context.action = [&context, options, action] { return action(*options, context); }; });
    return options;
}

void add_choice(CLI::App &command, DeadLetterOptions &options) {
    command.add_option("--event-type", options.choice.event_type, "Only events of this type")->type_name("TYPE");
    command.add_option("--error-type", options.choice.error_type, "Only those refused for this reason, such as contract_violation")
        ->type_name("CODE");
    command.add_option("--topic", options.choice.topic, "Only those from this topic")->type_name("TOPIC");
}

void add_work(CLI::App &command, DeadLetterOptions &options) {
    command.add_option("id", options.choice.ids, "Ids of dead letters, or of events")->type_name("ID");
    command.add_flag("--all", options.choice.all, "Every pending one");
    command.add_option("--rate", options.rate, "How many a second at most [no limit]")->type_name("N")->check(at_least(0));
    command.add_flag("--dry-run", options.dry_run, "Say what would come of it; commit nothing");
    add_choice(command, options);
}

} // namespace

void add_deadletter(CLI::App &root, Context &context) {
    CLI::App *group = root.add_subcommand("deadletter", "Look at events that could not be applied; apply them again, or drop them");
    group->require_subcommand(0, 1);
    group->footer(
        "Events are kept with their reason in the table dead_letter_queue of their domain's schema. Ids are those that 'list' shows.");

    CLI::App *list_command = group->add_subcommand("list", "Show a domain's dead letters and why they are; no payloads");
    const auto listing = add(*list_command, context, list);
    add_choice(*list_command, *listing);
    list_command->add_option("--status", listing->status, "pending, replayed, dropped or all [pending]")
        ->type_name("STATUS")
        ->check(CLI::IsMember({"pending", "replayed", "dropped", "all"}));
    list_command->add_option("--limit", listing->limit, "How many at most [100]")->type_name("N")->check(at_least(1));
    list_command->footer("Example:\n  weir deadletter list -c configs/embedded.json --domain linting --error-type contract_violation");

    CLI::App *show_command = group->add_subcommand("show", "Show one dead letter with its message, personal data included");
    const auto showing = add(*show_command, context, show);
    show_command->add_option("id", showing->choice.ids, "Its id, or its event's")->required()->expected(1)->type_name("ID");
    show_command->footer("Example:\n  weir deadletter show -c configs/embedded.json --domain linting 17");

    CLI::App *replay_command = group->add_subcommand("replay", "Apply dead letters again, with today's plugin and contracts");
    add_work(*replay_command, *add(*replay_command, context, replay));
    replay_command->footer(
        "Each is applied under its own event id and marked in one transaction: replaying twice, or beside a running host, applies it "
        "once.\n"
        "It says what came of each: applied, stale (a guard turned a change away, because the row is from a later event) or ignored.\n"
        "One that fails stays pending with its new reason. SIGINT stops between two. Tables are brought up to date first, as\n"
        "'weir run' does; a dry run refuses where they are not. Ends with 1 where one failed.\n"
        "\n"
        "Examples:\n"
        "  weir deadletter replay -c configs/embedded.json --domain linting --all --dry-run\n"
        "  weir deadletter replay -c configs/embedded.json --domain linting --error-type retries_exhausted --rate 50\n"
        "  weir deadletter replay -c configs/embedded.json --domain linting 17 18");

    CLI::App *drop_command = group->add_subcommand("drop", "Give dead letters up; they stay in the table as dropped");
    add_work(*drop_command, *add(*drop_command, context, drop));
    drop_command->footer("Example:\n  weir deadletter drop -c configs/embedded.json --domain linting --error-type malformed_json");
}

} // namespace weir::cli
