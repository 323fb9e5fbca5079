// SPDX-License-Identifier: Apache-2.0
#include "backends.hpp"
#include "commands.hpp"
#include "hints.hpp"
#include "host_access.hpp"
#include "json_text.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace weir::cli {

namespace {

struct TopicsOptions {
    std::string config;
    bool json = false;
};

/// A topic, and the broker that has it where there are several.
struct Listed {
    broker::TopicInfo topic;
    std::string broker;
};

std::vector<Listed> list(const config::HostConfig &config) {
    std::vector<Listed> all;
    const auto brokers = open_existing_brokers(config);
    for (const auto &[url, broker] : brokers) {
        for (broker::TopicInfo &topic : broker ? broker->topics() : std::vector<broker::TopicInfo>()) {
            all.push_back({std::move(topic), brokers.size() > 1 ? config::masked_url(url) : ""});
        }
    }
    return all;
}

Exit topics(const TopicsOptions &options) {
    const std::vector<Listed> all = list(load_config(options.config).config);
    if (options.json) {
        OrderedJson array = OrderedJson::array();
        for (const auto &[topic, broker] : all) {
            OrderedJson groups = OrderedJson::array();
            for (const broker::GroupInfo &group : topic.groups) {
                groups.push_back({{"group", group.group}, {"lag", group.backlog}, {"pending", group.pending}});
            }
            array.push_back(
                {{"topic", topic.topic}, {"partitions", topic.partitions}, {"length", topic.length}, {"groups", std::move(groups)}});
            if (!broker.empty()) {
                array.back()["broker"] = broker;
            }
        }
        print_json(array);
        return Exit::ok;
    }
    if (all.empty()) {
        print_line(with_config("There are no topics yet; 'weir publish' makes one.", options.config));
        return Exit::ok;
    }
    std::vector<std::string> head{"TOPIC", "PARTITIONS", "LENGTH", "GROUP", "LAG", "PENDING"};
    if (!all.front().broker.empty()) {
        head.emplace_back("BROKER");
    }
    Table table(head);
    for (const auto &[topic, broker] : all) {
        const std::string partitions = std::to_string(topic.partitions);
        const std::string length = std::to_string(topic.length);
        if (topic.groups.empty()) {
            table.row({topic.topic, partitions, length, "-", "-", "-", broker});
        }
        for (const broker::GroupInfo &group : topic.groups) {
            table.row({topic.topic, partitions, length, group.group, std::to_string(group.backlog), std::to_string(group.pending), broker});
        }
    }
    table.print();
    return Exit::ok;
}

} // namespace

void add_topics(CLI::App &root, Context &context) {
    const auto options = std::make_shared<TopicsOptions>();
    CLI::App *command = root.add_subcommand("topics", "Show the topics: how long they are, and what each group still has to do");
    add_config_option(*command, options->config);
    command->add_flag("--json", options->json, "One JSON array: topic, partitions, length, groups with lag and pending");
    command->footer("LENGTH is the messages kept, LAG those that the group was never given, PENDING those given and not acknowledged.\n"
                    "\n"
                    "Example:\n"
                    "  weir topics -c configs/embedded.json --json | jq '.[].groups[] | select(.lag > 1000)'");
    command->callback([&context, options] { context.action = [options] { return topics(*options); }; });
}

} // namespace weir::cli
