// SPDX-License-Identifier: Apache-2.0
#include "broker/partitioner.hpp"
#include "consumer.hpp"
#include "failure.hpp"
#include "retention.hpp"

#include "event/uuid.hpp"

#include <algorithm>
#include <set>

namespace weir::broker {

namespace redis {
namespace {

constexpr std::size_t kMaxMessageBytes = 16u << 20;
constexpr std::size_t kTransactionMessages = 1000; ///< of a publish: so many are taken all or none, and others wait for so many
constexpr std::size_t kTransactionBytes = 4u << 20;
constexpr std::size_t kBrowsePage = 1000;
constexpr std::size_t kBrowseBytes = 32u << 20;
constexpr std::chrono::milliseconds kLayoutIsFresh{1000};
constexpr std::size_t kScans = 5000; ///< steps of SCAN through a database that is full of other things
constexpr std::string_view kScanCount = "1000";

class RedisBroker : public Broker {
public:
    explicit RedisBroker(const RedisOptions &options) : options_(options), writer_(options, "publish"), asker_(options, "ask") {}

    std::unique_ptr<Consumer> subscribe(const Subscription &subscription) override {
        note_topics(subscription.topics);
        return std::make_unique<RedisConsumer>(options_, subscription);
    }
    void publish(const std::string &topic, std::span<const Outgoing> messages) override;
    std::vector<TopicInfo> topics() override;
    std::vector<Message> browse(const Partition &partition, std::optional<Position> after, std::size_t limit) override;
    std::vector<Message> newest(const Partition &partition, std::size_t limit) override;
    bool has_topic(const std::string &topic) override;
    std::optional<std::uint64_t> lost(const Partition &partition) override;
    void maintain() override;
    std::string guarantee() const override;

private:
    /// A topic's streams as the publisher knows them: number -> key.
    struct Layout {
        std::vector<std::string> keys;
        Clock::time_point seen;
    };
    using Wanted = std::pair<std::uint32_t, const Outgoing *>; ///< partition (or one yet to be chosen) and message

    const Layout &layout_of(const std::string &topic, bool anew);
    std::size_t publish_some(const std::string &topic, std::span<const Outgoing> messages);
    void note_topics(const std::vector<std::string> &topics);
    std::optional<Stream> stream_of(const Partition &partition);
    std::map<std::string, std::vector<std::string>> scan();

    const RedisOptions options_;
    std::mutex writer_mutex_;
    Connection writer_;
    std::map<std::string, Layout> layouts_;
    std::map<std::string, std::uint64_t> since_trim_;
    std::uint32_t spread_ = murmur2(event::Uuid::random().text());
    mutable std::mutex asker_mutex_;
    mutable Connection asker_;
    std::mutex topics_mutex_;
    std::set<std::string> topics_; ///< that this host reads or writes: those whose limits it keeps
};

std::size_t size_of(const Outgoing &message) {
    std::size_t size = message.key.size() + message.body.size();
    for (const auto &[name, value] : message.headers) {
        size += name.size() + value.size();
    }
    return size;
}

void RedisBroker::note_topics(const std::vector<std::string> &topics) {
    const std::lock_guard lock(topics_mutex_);
    topics_.insert(topics.begin(), topics.end());
}

const RedisBroker::Layout &RedisBroker::layout_of(const std::string &topic, bool anew) {
    Layout &layout = layouts_[topic];
    const auto now = Clock::now();
    if (!anew && !layout.keys.empty() && now - layout.seen < kLayoutIsFresh) {
        return layout;
    }
    layout.keys.clear();
    auto streams = find_streams(writer_, topic);
    const bool plain = streams.size() == 1 && streams[0].key == topic;
    const std::uint32_t partitions = plain ? 1 : streams.empty() ? options_.partitions : streams.back().partition.number + 1;
    if (streams.size() < partitions) {
        make_streams(writer_, topic, partitions);
        streams = find_streams(writer_, topic);
    }
    for (const Stream &stream : streams) {
        layout.keys.push_back(stream.key);
    }
    layout.seen = now;
    return layout;
}

void RedisBroker::publish(const std::string &topic, std::span<const Outgoing> messages) {
    for (std::size_t index = 0; index < messages.size(); ++index) {
        if (const std::size_t size = size_of(messages[index]); size > kMaxMessageBytes) {
            throw Misconfigured("topic '" + topic + "': message " + std::to_string(index + 1) + " of " + std::to_string(messages.size()) +
                                " has " + std::to_string(size) + " bytes; at most " + std::to_string(kMaxMessageBytes) +
                                " are taken, so nothing was published; send a reference to the content instead");
        }
    }
    if (topic.empty() || topic.find('\0') != std::string::npos) {
        throw Misconfigured("a topic's name can't be empty or hold NUL");
    }
    note_topics({topic});
    const std::lock_guard lock(writer_mutex_);
    for (std::size_t done = 0; done < messages.size();) {
        done += publish_some(topic, messages.subspan(done));
    }
}

/// One transaction: its messages are taken all or none, so that what fails leaves a prefix. @return how many those were
std::size_t RedisBroker::publish_some(const std::string &topic, std::span<const Outgoing> messages) {
    std::size_t count = 0;
    for (std::size_t bytes = 0; count < messages.size() && count < kTransactionMessages && (count == 0 || bytes < kTransactionBytes);
         ++count) {
        bytes += size_of(messages[count]);
    }
    std::vector<std::pair<std::string, const Outgoing *>> open;
    bool anew = false;
    while (open.empty()) {
        const Layout &layout = layout_of(topic, anew);
        const auto partitions = static_cast<std::uint32_t>(layout.keys.size());
        for (const Outgoing &message : messages.first(count)) {
            open.emplace_back(layout.keys[message.key.empty() ? spread_++ % partitions : partition_of(message.key, partitions)], &message);
        }
        const bool alone = count == 1; // one command is a transaction by itself
        Commands commands;
        if (!alone) {
            commands.add({"MULTI"});
        }
        for (const auto &[key, message] : open) {
            add_entry(commands, key, *message, options_.trim_unread ? options_.max_messages : 0);
        }
        if (!alone) {
            commands.add({"EXEC"});
        }
        const auto answers = writer_.execute(commands);
        for (std::size_t at = 0; at < open.size(); ++at) {
            check(options_, *answers[alone ? at : at + 1], "XADD", open[at].first);
        }
        const Reply &done = check(options_, *answers.back(), "EXEC");
        const auto added = alone ? std::span(&done, 1) : done.array();
        bool missing = added.size() < open.size();
        for (std::size_t at = 0; at < added.size(); ++at) {
            missing = missing || check(options_, added[at], "XADD", open[at].first).is_nil();
        }
        if (missing) { // a stream was deleted since it was looked for; what went to others is published
            std::vector<Outgoing> again;
            for (std::size_t at = 0; at < open.size(); ++at) {
                if (at >= added.size() || added[at].is_nil()) {
                    again.push_back(*open[at].second);
                }
            }
            layout_of(topic, true);
            for (std::size_t from = 0; from < again.size();) {
                from += publish_some(topic, std::span(again).subspan(from));
            }
        }
    }
    std::uint64_t &since = since_trim_[topic];
    since += count;
    if (options_.max_messages > 0 && !options_.trim_unread &&
        since > std::max<std::uint64_t>(kTransactionMessages, options_.max_messages / 10)) {
        since = 0;
        for (const std::string &key : layout_of(topic, false).keys) {
            trim(writer_, key, options_);
        }
    }
    return count;
}

/// Topic -> the keys of its streams.
std::map<std::string, std::vector<std::string>> RedisBroker::scan() {
    std::set<std::string> keys;
    std::string cursor = "0";
    for (std::size_t step = 0; step < kScans; ++step) {
        const Reply &page = check(options_, asker_.execute({"SCAN", cursor, "COUNT", kScanCount, "TYPE", "stream"}), "SCAN");
        for (const Reply &key : page[1].array()) {
            keys.emplace(key.text);
        }
        cursor = page[0].text;
        if (cursor == "0") {
            break;
        }
    }
    std::map<std::string, std::vector<std::string>> topics;
    for (const std::string &key : keys) {
        const auto dot = key.rfind('.');
        const std::string topic = key.substr(0, dot);
        bool part = dot != std::string::npos && !keys.contains(topic) && !topic.empty() && key.size() - dot <= 5;
        if (part) {
            const std::string number = key.substr(dot + 1);
            part = !number.empty() && number.find_first_not_of("0123456789") == std::string::npos &&
                   partition_key(topic, static_cast<std::uint32_t>(std::stoul(number))) == key && std::stoul(number) < kMostPartitions;
        }
        topics[part ? topic : key].push_back(key);
    }
    return topics;
}

std::vector<TopicInfo> RedisBroker::topics() {
    const std::lock_guard lock(asker_mutex_);
    std::vector<TopicInfo> out;
    for (const auto &[topic, keys] : scan()) {
        TopicInfo info;
        info.topic = topic;
        info.partitions = 1;
        std::map<std::string, GroupInfo> groups;
        for (const std::string &key : keys) {
            if (key != topic) {
                info.partitions = std::max(info.partitions, static_cast<std::uint32_t>(std::stoul(key.substr(topic.size() + 1))) + 1);
            }
            Commands commands;
            commands.add({"XLEN", key}).add({"XINFO", "GROUPS", key});
            auto answers = asker_.execute(commands);
            if (answers[0]->is_error() || answers[1]->is_error()) {
                continue; // deleted meanwhile, or not for this user
            }
            const auto length = static_cast<std::uint64_t>(answers[0]->integer);
            info.length += length;
            const std::size_t count = answers[1]->count;
            for (std::size_t at = 0; at < count; ++at) {
                if (at > 0) { // counting asks the server, which takes the answers before away
                    answers = asker_.execute(commands);
                }
                const Reply &group = (*answers[1])[at];
                if (!group.is_nil() && !is_marker(group)) {
                    GroupInfo &one = groups[std::string(group.value_of("name").text)];
                    one.pending += static_cast<std::uint64_t>(group.value_of("pending").integer);
                    one.backlog += backlog_of(asker_, key, group, length);
                }
            }
        }
        for (auto &[name, group] : groups) {
            group.group = name;
            info.groups.push_back(std::move(group));
        }
        out.push_back(std::move(info));
    }
    return out;
}

std::optional<Stream> RedisBroker::stream_of(const Partition &partition) {
    for (const Stream &stream : find_streams(asker_, partition.topic)) {
        if (stream.partition == partition) {
            return stream;
        }
    }
    return std::nullopt;
}

std::vector<Message> RedisBroker::browse(const Partition &partition, std::optional<Position> after, std::size_t limit) {
    const std::lock_guard lock(asker_mutex_);
    std::vector<Message> out;
    const auto stream = stream_of(partition);
    const auto incarnation = stream ? incarnation_of(asker_, stream->key) : std::nullopt;
    std::size_t bytes = 0;
    for (std::size_t page = 64; incarnation && out.size() < limit && bytes < kBrowseBytes; page = kBrowsePage) {
        const std::size_t count = std::min(limit - out.size(), page);
        const Reply &entries =
            check(options_, asker_.execute({"XRANGE", stream->key, after ? "(" + id_of(*after) : "-", "+", "COUNT", std::to_string(count)}),
                  "XRANGE", stream->key);
        for (const Reply &entry : entries.array()) {
            if (const auto message = read_entry({partition, *incarnation}, entry, 1)) {
                after = message->position;
                bytes += message->bytes();
                out.push_back(std::move(*message));
            }
        }
        if (entries.count < count) {
            break;
        }
    }
    return out;
}

std::vector<Message> RedisBroker::newest(const Partition &partition, std::size_t limit) {
    const std::lock_guard lock(asker_mutex_);
    std::vector<Message> out;
    const auto stream = stream_of(partition);
    const auto incarnation = stream ? incarnation_of(asker_, stream->key) : std::nullopt;
    std::string end = "+";
    while (incarnation && out.size() < limit) {
        const std::size_t count = std::min(limit - out.size(), kBrowsePage);
        const Reply &entries =
            check(options_, asker_.execute({"XREVRANGE", stream->key, end, "-", "COUNT", std::to_string(count)}), "XREVRANGE", stream->key);
        for (const Reply &entry : entries.array()) {
            if (const auto message = read_entry({partition, *incarnation}, entry, 1)) {
                end = "(" + id_of(message->position);
                out.push_back(std::move(*message));
            }
        }
        if (entries.count < count) {
            break;
        }
    }
    std::reverse(out.begin(), out.end());
    return out;
}

bool RedisBroker::has_topic(const std::string &topic) {
    const std::lock_guard lock(asker_mutex_);
    return !find_streams(asker_, topic).empty();
}

std::optional<std::uint64_t> RedisBroker::lost(const Partition &partition) {
    const std::lock_guard lock(asker_mutex_);
    const auto stream = stream_of(partition);
    if (!stream) {
        return 0;
    }
    const Reply &info = check(options_, asker_.execute({"XINFO", "STREAM", stream->key}), "XINFO", stream->key);
    const Reply &added = info.value_of("entries-added"); // since Redis 7
    if (added.type != Reply::Type::integer) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(std::max<std::int64_t>(added.integer - info.value_of("length").integer, 0));
}

void RedisBroker::maintain() {
    if (options_.max_messages == 0 && options_.max_age.count() == 0) {
        return;
    }
    std::vector<std::string> topics;
    {
        const std::lock_guard lock(topics_mutex_);
        topics.assign(topics_.begin(), topics_.end());
    }
    const std::lock_guard lock(asker_mutex_);
    for (const auto &[topic, streams] : find_streams(asker_, topics)) {
        for (const Stream &stream : streams) {
            trim(asker_, stream.key, options_);
        }
    }
}

std::string RedisBroker::guarantee() const {
    const std::lock_guard lock(asker_mutex_);
    return describe_guarantee(asker_);
}

} // namespace
} // namespace redis

std::unique_ptr<Broker> open_redis_broker(const RedisOptions &options) { return std::make_unique<redis::RedisBroker>(options); }

} // namespace weir::broker
