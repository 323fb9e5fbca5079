// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "host_access.hpp"
#include "interrupt.hpp"
#include "json_text.hpp"
#include "message_text.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace weir::cli {

namespace {

constexpr std::size_t kPage = 500;
constexpr std::chrono::milliseconds kLook{100};

struct TailOptions {
    std::string config;
    std::string topic;
    std::size_t count = 10;
    bool from_beginning = false;
    bool follow = false;
    bool raw = false;
    bool json = false;
};

using Place = std::optional<broker::Position>;

/// The last position of a partition, found by halving; nothing where it is empty.
Place last_position(broker::Broker &broker, const broker::Partition &partition) {
    const auto first = broker.browse(partition, std::nullopt, 1);
    if (first.empty()) {
        return std::nullopt;
    }
    std::uint64_t at = first.front().position.high; // a message is there
    std::uint64_t beyond = std::uint64_t{1} << 62;  // none is
    while (beyond - at > 1) {
        const std::uint64_t middle = at + (beyond - at) / 2;
        const auto next = broker.browse(partition, broker::Position{middle - 1, 0}, 1);
        if (next.empty()) {
            beyond = middle;
        } else {
            at = next.front().position.high;
        }
    }
    return broker::Position{at, 0};
}

class Tail {
public:
    Tail(broker::Broker &broker, const TailOptions &options) : broker_(broker), options_(options) {}

    /// Shows what is there. @return how many messages that were
    std::size_t show_kept() {
        find_partitions();
        for (auto &[partition, place] : places_) {
            const Place last = last_position(broker_, partition);
            if (options_.from_beginning || !last) {
                continue; // from nothing: the beginning
            }
            // at least `count` of each partition: the newest of all partitions are among them
            place = last->high > options_.count ? Place({last->high - options_.count, 0}) : std::nullopt;
        }
        return show_new(!options_.from_beginning);
    }

    /// @param newest only the last `count` of them
    std::size_t show_new(bool newest) {
        std::size_t shown = 0;
        std::vector<event::Message> kept;
        for (auto &[partition, place] : places_) {
            for (;;) {
                auto page = broker_.browse(partition, place, kPage);
                if (page.empty()) {
                    break;
                }
                place = page.back().position;
                shown += page.size();
                if (newest) {
                    std::move(page.begin(), page.end(), std::back_inserter(kept));
                } else {
                    show(page);
                }
            }
        }
        std::stable_sort(kept.begin(), kept.end(),
                         [](const auto &left, const auto &right) { return left.appended_at < right.appended_at; });
        if (kept.size() > options_.count) {
            kept.erase(kept.begin(), kept.end() - static_cast<std::ptrdiff_t>(options_.count));
        }
        show(kept);
        std::fflush(stdout);
        return shown;
    }

    /// Topics that appear later, and those that are made anew, are found too.
    void find_partitions() {
        for (const broker::TopicInfo &topic : broker_.topics()) {
            for (std::uint32_t number = 0; topic.topic == options_.topic && number < topic.partitions; ++number) {
                places_.try_emplace({topic.topic, number}, std::nullopt);
            }
        }
    }

    bool has_topic() const { return !places_.empty(); }

private:
    void show(const std::vector<event::Message> &messages) const {
        for (const event::Message &message : messages) {
            if (options_.raw) {
                print(message.body);
                print("\n");
            } else if (options_.json) {
                print_json(message_json(message));
            } else {
                print_line(message_line(message));
            }
        }
    }

    broker::Broker &broker_;
    const TailOptions &options_;
    std::map<broker::Partition, Place> places_;
};

Exit tail(const TailOptions &options) {
    const Interrupt interrupt;
    const auto loaded = load_config(options.config);
    auto broker = open_existing_broker(loaded.config);
    while (!broker && options.follow && !interrupt.wait_for(kLook)) {
        broker = open_existing_broker(loaded.config);
    }
    if (!broker) {
        throw Failure(Exit::failed, "there is no topic '" + options.topic + "' yet; 'weir publish' makes it, and --follow waits for it");
    }
    Tail view(*broker, options);
    view.show_kept();
    if (!view.has_topic() && !options.follow) {
        throw Failure(Exit::failed, "there is no topic '" + options.topic + "'; 'weir topics' lists them, and --follow waits for it");
    }
    while (options.follow && !interrupt.wait_for(kLook)) {
        view.find_partitions();
        view.show_new(false);
    }
    return Exit::ok;
}

} // namespace

void add_tail(CLI::App &root, Context &context) {
    const auto options = std::make_shared<TailOptions>();
    CLI::App *command = root.add_subcommand("tail", "Show a topic's messages; no group notices");
    add_config_option(*command, options->config);
    command->add_option("topic", options->topic, "The topic")->required()->type_name("TOPIC");
    command->add_option("-n,--lines", options->count, "How many of the newest messages [10]")->type_name("N");
    command->add_flag("--from-beginning", options->from_beginning, "All that are kept, each partition in its order")->excludes("-n");
    command->add_flag("-f,--follow", options->follow, "Go on with new ones until SIGINT");
    auto *raw = command->add_flag("--raw", options->raw, "The messages' bytes alone, one a line");
    command->add_flag("--json", options->json, "One JSON object a message: topic, partition, position, appended_at, key, headers, body")
        ->excludes(raw);
    command->footer("Messages are shown as they are, personal data included.\n"
                    "\n"
                    "Examples:\n"
                    "  weir tail -c configs/embedded.json identity.user.v1 -n 3\n"
                    "  weir tail -c configs/embedded.json identity.user.v1 --follow --json | jq .key\n"
                    "  weir tail identity.user.v1 --from-beginning --raw > backup.jsonl");
    command->callback([&context, options] { context.action = [options] { return tail(*options); }; });
}

} // namespace weir::cli
