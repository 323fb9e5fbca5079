// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "commands.hpp"
#include "hints.hpp"
#include "host_access.hpp"
#include "interrupt.hpp"
#include "json_text.hpp"
#include "output.hpp"
#include "serving.hpp"

#include "engine/crash_marks.hpp"
#include "engine/rebuild.hpp"
#include "log/log.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <unistd.h>

namespace weir::cli {

namespace {

constexpr auto kLogEvery = std::chrono::seconds(5);

struct RebuildOptions {
    std::string config;
    std::string domain;
    bool dry_run = false;
    bool status = false;
    bool cancel = false;
    bool from_what_is_kept = false;
    bool json = false;
};

/// What every form of the command needs.
struct Opened {
    config::Loaded loaded;
    event::Contracts contracts;
    Serving serving;
    std::unique_ptr<broker::Broker> broker;
    std::unique_ptr<store::Store> store;
    std::unique_ptr<engine::Rebuild> rebuild;
};

void open(const RebuildOptions &options, const Context &context, Opened &out) {
    out.loaded = load_config(options.config);
    out.contracts = load_contracts(out.loaded.config);
    out.serving = find_serving(out.loaded.config, context, out.contracts);
    const Serving::Domain &domain = domain_named(out.serving, options.domain);
    out.broker = open_broker_at(out.loaded.config, domain.spec.broker.empty() ? out.loaded.config.broker_url : domain.spec.broker);
    out.store = open_store(out.loaded.config);
    const std::string holder = "rebuild-" + event::Uuid::random().text().substr(0, 8) + "-" + std::to_string(getpid());
    out.rebuild = std::make_unique<engine::Rebuild>(engine::RebuildSetup{domain.spec, domain.module, out.broker.get(), out.store.get(),
                                                                         &out.contracts, out.loaded.config.state_directory, holder});
}

/// How the number of messages comes to the number of events that a rebuild decides again.
std::string message_counts(const engine::RebuildSurvey &survey) {
    const auto &messages = *survey.messages;
    std::string text = "Of " + counted(survey.kept(), "message", "messages") + ", " +
                       counted(messages.events, "is an event that would be decided again", "are events that would be decided again");
    const auto add = [&](std::uint64_t count, const char *one, const char *many) {
        text += count == 0 ? "" : ", " + counted(count, one, many);
    };
    add(messages.duplicates, "is a duplicate of one of these", "are duplicates of these");
    add(messages.dropped, "was dropped by an operator and stays so", "were dropped by an operator and stay so");
    add(messages.undecided, "has not been decided yet and is left to the domain", "have not been decided yet and are left to the domain");
    return text + ".";
}

Exit show_survey(const RebuildOptions &options, Opened &opened) {
    const engine::RebuildSurvey survey = opened.rebuild->survey();
    if (options.json) {
        OrderedJson topics = OrderedJson::array();
        for (const auto &topic : survey.topics) {
            topics.push_back({{"topic", topic.topic},
                              {"partitions", topic.partitions},
                              {"kept", topic.kept},
                              {"lost", topic.lost ? OrderedJson(*topic.lost) : OrderedJson()}});
        }
        print_json({{"domain", options.domain},
                    {"topics", std::move(topics)},
                    {"messages", survey.kept()},
                    {"to_decide", survey.messages ? OrderedJson(survey.messages->events) : OrderedJson()},
                    {"duplicates", survey.messages ? OrderedJson(survey.messages->duplicates) : OrderedJson()},
                    {"dropped", survey.messages ? OrderedJson(survey.messages->dropped) : OrderedJson()},
                    {"undecided", survey.messages ? OrderedJson(survey.messages->undecided) : OrderedJson()},
                    {"decided", survey.decided.applied + survey.decided.ignored + survey.decided.dead},
                    {"dead_letters", survey.decided.dead},
                    {"gone", survey.gone},
                    {"without_handler", survey.without_handler},
                    {"notes", survey.notes},
                    {"obstacles", survey.obstacles}});
        return survey.obstacles.empty() ? Exit::ok : Exit::failed;
    }
    Table table({"TOPIC", "PARTITIONS", "MESSAGES", "NOT KEPT"});
    for (const auto &topic : survey.topics) {
        table.row({topic.topic, std::to_string(topic.partitions), std::to_string(topic.kept),
                   topic.lost ? std::to_string(*topic.lost) : std::string("?")});
    }
    table.print();
    print_line("");
    if (survey.messages) {
        print_line(message_counts(survey));
    }
    print_line(options.domain + " has decided " +
               counted(survey.decided.applied + survey.decided.ignored + survey.decided.dead, "event", "events") + ", " +
               counted(survey.decided.dead, "of them a dead letter", "of them dead letters") +
               (survey.gone == 0 ? "; these would be made again."
                                 : "; about " + std::to_string(survey.gone) + " of these could not be made again."));
    for (const std::string &note : survey.notes) {
        print_line(printable("Note: " + note + "."));
    }
    for (const std::string &obstacle : survey.obstacles) {
        print_line(printable("Lost by a rebuild: " + obstacle + "."));
    }
    if (!survey.obstacles.empty()) {
        print_line("It is refused therefore, but for --from-what-is-kept.");
    }
    return survey.obstacles.empty() ? Exit::ok : Exit::failed;
}

Exit show_state(const RebuildOptions &options, Opened &opened) {
    const engine::RebuildState state = opened.rebuild->state();
    if (options.json) {
        print_json({{"domain", options.domain},
                    {"shadow", state.exists},
                    {"running", state.running},
                    {"made_with", state.made_with},
                    {"decided", state.decided}});
    } else if (!state.exists) {
        print_line("No rebuild of " + options.domain + " is under way, and none was left unfinished.");
    } else {
        const std::string so_far = counted(state.decided, "event", "events") + " decided anew so far, with " + state.made_with;
        print_line(
            printable(with_config(state.running ? "A rebuild of " + options.domain + " is under way: " + so_far + "."
                                                : "A rebuild of " + options.domain + " was interrupted: " + so_far + ". 'weir rebuild " +
                                                      options.domain + "' goes on with it, --cancel removes it.",
                                  options.config)));
        print_line("Until it is done, " + options.domain + " serves its old rows.");
    }
    return Exit::ok;
}

Exit cancel(const RebuildOptions &options, Opened &opened) {
    const bool removed = opened.rebuild->cancel();
    if (options.json) {
        print_json({{"domain", options.domain}, {"removed", removed}});
    } else {
        print_line(removed ? "The shadow of " + options.domain + " is removed." : "There is no rebuild of " + options.domain + ".");
    }
    return Exit::ok;
}

const char *stage_name(engine::RebuildProgress::Stage stage) {
    switch (stage) {
    case engine::RebuildProgress::Stage::reading:
        return "reading";
    case engine::RebuildProgress::Stage::following:
        return "following";
    case engine::RebuildProgress::Stage::swapping:
        break;
    }
    return "swapping";
}

/// A bar on a terminal, else log lines now and then.
class Teller {
public:
    explicit Teller(const std::string &domain) : domain_(domain) {}

    void tell(const engine::RebuildProgress &progress) {
        if (isatty(STDERR_FILENO) == 1) {
            const std::size_t total = std::max<std::size_t>(progress.total, 1);
            if (!bar_ || waiting_ != progress.waiting) {
                bar_.reset();
                bar_.emplace(progress.waiting.empty() ? domain_ : domain_ + ": " + printable(progress.waiting), total);
                waiting_ = progress.waiting;
            }
            bar_->set(std::min(total, static_cast<std::size_t>(progress.done)));
            return;
        }
        const auto now = std::chrono::steady_clock::now();
        if (now >= next_ || waiting_ != progress.waiting) {
            next_ = now + kLogEvery;
            waiting_ = progress.waiting;
            log::info("rebuild.progress", "A domain is being made again",
                      {{"domain", domain_},
                       {"stage", stage_name(progress.stage)},
                       {"events", progress.done},
                       {"messages_kept", progress.total},
                       {"waiting", progress.waiting}});
        }
    }
    void end() { bar_.reset(); }

private:
    const std::string &domain_;
    std::optional<Progress> bar_;
    std::string waiting_;
    std::chrono::steady_clock::time_point next_{};
};

void show_result(const RebuildOptions &options, const engine::RebuildResult &result) {
    const bool swapped = result.outcome == engine::RebuildOutcome::swapped;
    const store::ReplacementCounts &replaced = result.replaced;
    if (options.json) {
        print_json({{"domain", options.domain},
                    {"outcome", swapped ? "swapped" : "interrupted"},
                    {"decided", result.decided},
                    {"applied", result.outcomes.applied},
                    {"ignored", result.outcomes.ignored},
                    {"dead_letters", result.outcomes.dead},
                    {"rows_added", replaced.rows_added},
                    {"rows_changed", replaced.rows_changed},
                    {"rows_removed", replaced.rows_removed},
                    {"rows_kept", replaced.rows_kept},
                    {"dead_letters_resolved", replaced.letters_resolved},
                    {"dead_letters_renewed", replaced.letters_renewed},
                    {"dead_letters_added", replaced.letters_added},
                    {"held_up_ms", result.held_up.count()}});
    } else if (swapped) {
        print_line(options.domain + " was made again from " + counted(result.decided, "event", "events") + " (" +
                   std::to_string(result.outcomes.applied) + " applied, " + std::to_string(result.outcomes.ignored) + " ignored, " +
                   counted(result.outcomes.dead, "dead letter", "dead letters") + "): " + counted(replaced.rows_added, "row", "rows") +
                   " added, " + counted(replaced.rows_changed, "changed", "changed") + ", " +
                   counted(replaced.rows_removed, "removed", "removed") + ".");
        if (replaced.rows_kept > 0) {
            print_line(
                counted(replaced.rows_kept, "row that no event makes any more was kept", "rows that no event makes any more were kept") +
                ": rows that routes wrote refer to " + (replaced.rows_kept == 1 ? "it." : "them."));
        }
        print_line("Dead letters: " + std::to_string(replaced.letters_resolved) + " resolved, " + std::to_string(replaced.letters_renewed) +
                   " dead again, " + std::to_string(replaced.letters_added) + " new.");
    } else {
        print_line("Interrupted after " + counted(result.decided, "event", "events") + "; " + options.domain +
                   " is as it was. The same command goes on, --cancel removes what was made.");
    }
}

Exit rebuild(const RebuildOptions &options, const Context &context) {
    const int forms = static_cast<int>(options.dry_run) + static_cast<int>(options.status) + static_cast<int>(options.cancel);
    if (forms > 1) {
        throw Failure(Exit::usage, "one of --dry-run, --status and --cancel");
    }
    Opened opened;
    try {
        open(options, context, opened);
        if (options.dry_run) {
            return show_survey(options, opened);
        }
        if (options.status) {
            return show_state(options, opened);
        }
        if (options.cancel) {
            return cancel(options, opened);
        }
        if (isatty(STDERR_FILENO) != 1) {
            log::configure(log::Level::info, log::Format::automatic);
        }
        engine::install_crash_signal_handlers();
        const Interrupt interrupt;
        Teller teller(options.domain);
        engine::RebuildHooks hooks;
        hooks.wait = [&](std::chrono::milliseconds time) { return interrupt.wait_for(time); };
        hooks.tell = [&](const engine::RebuildProgress &progress) { teller.tell(progress); };
        log::mark("rebuild", options.domain); // the shadow's lines are like those of the domain that serves
        log::info("rebuild.started", "A domain is made again beside what serves", {{"domain", options.domain}});
        const engine::RebuildResult result = opened.rebuild->run(hooks, options.from_what_is_kept);
        teller.end();
        const bool swapped = result.outcome == engine::RebuildOutcome::swapped;
        if (swapped) {
            log::info("rebuild.swapped", "What was made again is in place",
                      {{"domain", options.domain}, {"events", result.decided}, {"held_up_ms", result.held_up.count()}});
        }
        show_result(options, result);
        return swapped ? Exit::ok : Exit::cancelled;
    } catch (const engine::RebuildRefused &refused) {
        throw Failure(Exit::failed, refused.what());
    }
}

} // namespace

void add_rebuild(CLI::App &root, Context &context) {
    auto options = std::make_shared<RebuildOptions>();
    CLI::App *command = root.add_subcommand("rebuild", "Make a domain's tables again from its topics, while it serves");
    command->add_option("domain", options->domain, "Which domain")->required()->type_name("DOMAIN");
    add_config_option(*command, options->config);
    command->add_flag("--dry-run", options->dry_run, "Say what would be read and what would be lost; change nothing");
    command->add_flag("--status", options->status, "Say whether one is under way or was interrupted, and how far it is");
    command->add_flag("--cancel", options->cancel, "Remove what an interrupted rebuild has made");
    command->add_flag("--from-what-is-kept", options->from_what_is_kept,
                      "Also where topics don't hold all that was decided, or tables hold rows that no event made: those rows are lost");
    command->add_flag("--json", options->json, "One JSON object");
    command->footer(
        "Everything that the domain has decided is decided again, from the topics' beginning, with the plugin that is in the plugin\n"
        "directory now, into a shadow beside its schema. Hosts go on serving the old rows; at the end the new ones take their place in\n"
        "one transaction. Nothing is published again. SIGINT, SIGTERM or a kill leave the shadow: the same command goes on with it.\n"
        "\n"
        "--dry-run counts messages, and says how many of them are events that would be decided again: as many does the result count,\n"
        "and those that the domain has decided meanwhile. Duplicates are in neither.\n"
        "\n"
        "Dead letters: one that can be applied now is applied and is none any more; one that is dead again keeps its id. Those that were\n"
        "dropped stay undone. Those that were replayed are applied where they stand in their topic.\n"
        "\n"
        "Tables whose rows routes change stay as they are; --dry-run names them. A dead letter that changes one stays a dead letter: "
        "replay\n"
        "it afterwards, which applies it to all tables. A letter that is new there was applied before: its replay leaves such tables "
        "alone.\n"
        "\n"
        "Ends with 1 where it is refused, 130 where it was interrupted.\n"
        "\n"
        "Examples:\n"
        "  weir rebuild linting -c configs/embedded.json --dry-run\n"
        "  weir rebuild linting -c configs/embedded.json\n"
        "  weir rebuild linting -c configs/embedded.json --cancel");
    command->callback([&context, options] { context.action = [&context, options] { return rebuild(*options, context); }; });
}

} // namespace weir::cli
