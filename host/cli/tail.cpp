// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "commands.hpp"
#include "host_access.hpp"
#include "interrupt.hpp"
#include "json_text.hpp"
#include "message_text.hpp"
#include "suggest.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace weir::cli {

namespace {

constexpr std::size_t kPage = 500;
constexpr std::chrono::milliseconds kLook{100};
constexpr int kLooksBetweenSearches = 10; // a search goes through all topics, and on Redis through all keys

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

class Tail {
public:
    Tail(broker::Broker &broker, const TailOptions &options) : broker_(broker), options_(options) {}

    /// Shows what is there: all of it, or the newest `count` messages of all partitions together.
    void show_kept() {
        find_partitions();
        if (options_.from_beginning) {
            return show_new();
        }
        std::vector<event::Message> kept;
        for (auto &[partition, place] : places_) {
            // `count` of each partition: the newest of all partitions are among them
            auto newest = broker_.newest(partition, std::max<std::size_t>(options_.count, 1));
            if (!newest.empty()) {
                place = newest.back().position;
            }
            std::move(newest.begin(), newest.end(), std::back_inserter(kept));
        }
        std::stable_sort(kept.begin(), kept.end(),
                         [](const auto &left, const auto &right) { return left.appended_at < right.appended_at; });
        if (kept.size() > options_.count) {
            kept.erase(kept.begin(), kept.end() - static_cast<std::ptrdiff_t>(options_.count));
        }
        show(kept);
    }

    /// Shows what came since the last look.
    void show_new() {
        for (auto &[partition, place] : places_) {
            for (auto page = broker_.browse(partition, place, kPage); !page.empty(); page = broker_.browse(partition, place, kPage)) {
                place = page.back().position;
                show(page);
            }
        }
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

    /// " (did you mean 'a'?)", of a topic that isn't there; empty: none is near.
    std::string meant() const {
        std::vector<std::string> names;
        for (const broker::TopicInfo &topic : broker_.topics()) {
            names.push_back(topic.topic);
        }
        const std::string near = nearest(options_.topic, names);
        return near.empty() ? "" : " (did you mean '" + near + "'?)";
    }

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
        std::fflush(stdout);
    }

    broker::Broker &broker_;
    const TailOptions &options_;
    std::map<broker::Partition, Place> places_;
};

Exit tail(const TailOptions &options) {
    const Interrupt interrupt;
    const auto loaded = load_config(options.config);
    auto broker = open_existing_broker(loaded.config, options.topic);
    while (!broker && options.follow && !interrupt.wait_for(kLook)) {
        broker = open_existing_broker(loaded.config, options.topic);
    }
    if (!broker) {
        throw Failure(Exit::failed, "there is no topic '" + options.topic + "' yet; 'weir publish' makes it, and --follow waits for it");
    }
    Tail view(*broker, options);
    view.show_kept();
    if (!view.has_topic() && !options.follow) {
        throw Failure(Exit::failed,
                      "there is no topic '" + options.topic + "'" + view.meant() + "; 'weir topics' lists them, and --follow waits for it");
    }
    for (int look = 0; options.follow && !interrupt.wait_for(kLook); ++look) {
        if (look % kLooksBetweenSearches == 0) {
            view.find_partitions();
        }
        view.show_new();
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
    auto *raw = command->add_flag("--raw", options->raw,
                                  "The messages' bytes alone, a newline behind each; one that has newlines takes several lines");
    command->add_flag("--json", options->json, "One JSON object a message: topic, partition, position, appended_at, key, headers, body")
        ->excludes(raw);
    command->footer("Messages are shown as they are, personal data included.\n"
                    "\n"
                    "Examples:\n"
                    "  weir tail -c configs/embedded.json identity.user.v1 -n 3\n"
                    "  weir tail -c configs/embedded.json identity.user.v1 --follow --json | jq .key\n"
                    "  weir tail identity.user.v1 --from-beginning --raw | grep user.created.v1");
    command->callback([&context, options] { context.action = [options] { return tail(*options); }; });
}

} // namespace weir::cli
