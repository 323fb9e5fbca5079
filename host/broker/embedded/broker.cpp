// SPDX-License-Identifier: Apache-2.0
#include "broker/partitioner.hpp"
#include "core.hpp"
#include "log.hpp"
#include "pending.hpp"
#include "retention.hpp"
#include "schema.hpp"

#include <algorithm>
#include <map>

namespace weir::broker {

namespace embedded {
namespace {

constexpr std::uint64_t kTrimChunk = 1000; ///< messages removed in one transaction, so that nobody waits long for the lock

class EmbeddedBrokerImplementation : public EmbeddedBroker {
public:
    explicit EmbeddedBrokerImplementation(const EmbeddedOptions &options)
        : core_(std::make_shared<Core>(options)), writer_(options, options.synchronous), reader_(options, Synchronous::normal) {}

    std::unique_ptr<Consumer> subscribe(const Subscription &subscription) override { return make_consumer(core_, subscription); }
    void publish(const std::string &name, std::span<const Outgoing> messages) override;
    std::vector<TopicInfo> topics() override;
    std::vector<Message> browse(const Partition &partition, std::optional<Position> after, std::size_t limit) override;
    std::vector<Message> newest(const Partition &partition, std::size_t limit) override;
    bool has_topic(const std::string &name) override;
    std::optional<std::uint64_t> lost(const Partition &partition) override;
    std::string guarantee() const override;
    void configure_topic(const std::string &name, const TopicOptions &options) override;
    bool drop_topic(const std::string &name) override;
    bool drop_group(const std::string &name, const std::string &group) override;
    std::uint64_t trim() override;

private:
    std::vector<Message> messages_of(const Partition &partition, std::optional<Position> after, std::size_t limit, bool newest);
    void make_room(const Topic &topic, Stream &stream, std::uint64_t incoming, std::uint64_t count, event::Micros now);
    void sweep_dropped();

    std::shared_ptr<Core> core_;
    std::mutex writer_mutex_;
    Connection writer_;
    std::mutex reader_mutex_;
    Connection reader_;
};

void refuse_oversized(const std::string &topic, std::span<const Outgoing> messages) {
    for (std::size_t index = 0; index < messages.size(); ++index) {
        const std::size_t size = size_of(messages[index]);
        if (size > kMaxMessageBytes) {
            throw Misconfigured("topic '" + topic + "': message " + std::to_string(index + 1) + " of " + std::to_string(messages.size()) +
                                " has " + std::to_string(size) + " bytes; at most " + std::to_string(kMaxMessageBytes) +
                                " are taken, so nothing was published; send a reference to the content instead");
        }
    }
}

void EmbeddedBrokerImplementation::make_room(const Topic &topic, Stream &stream, std::uint64_t incoming, std::uint64_t count,
                                             event::Micros now) {
    const std::uint64_t limit = topic.options.max_bytes;
    if (limit != 0 && incoming > limit) {
        throw Misconfigured("topic '" + topic.name + "': " + std::to_string(incoming) +
                            " bytes for one partition are more than its max_bytes=" + std::to_string(limit) +
                            "; publish fewer at once or raise max_bytes");
    }
    // Twice what is added, so that the log catches up with a limit that was lowered.
    embedded::trim(writer_, topic, stream, now, incoming, 2 * count + 16);
    while (limit != 0 && stream.bytes + incoming > limit) {
        if (embedded::trim(writer_, topic, stream, now, incoming, kTrimChunk) == 0) {
            throw Unavailable("topic '" + topic.name + "' partition " + std::to_string(stream.number) +
                              " is full: max_bytes=" + std::to_string(limit) + " and group '" + slowest_group(writer_, stream.id) +
                              "' has not acknowledged its oldest messages; let it catch up, or raise max_bytes");
        }
    }
}

void EmbeddedBrokerImplementation::publish(const std::string &name, std::span<const Outgoing> messages) {
    refuse_oversized(name, messages);
    {
        const std::lock_guard lock(writer_mutex_);
        Transaction transaction(writer_, core_->write_lock);
        auto topic = find_topic(writer_, name);
        if (!topic) {
            topic = create_topic(writer_, name, core_->options.new_topics);
        }
        std::vector<Stream> streams = streams_of(writer_, topic->id);
        std::vector<std::vector<const Outgoing *>> parts(streams.size());
        std::uint64_t spread = 0; // messages without a key go round, from a place that regular batches of keyed ones don't repeat
        for (const Stream &stream : streams) {
            spread += stream.next;
        }
        spread = murmur2(std::to_string(spread));
        for (const Outgoing &message : messages) {
            const auto partition =
                message.key.empty() ? spread++ % streams.size() : partition_of(message.key, static_cast<std::uint32_t>(streams.size()));
            parts[partition].push_back(&message);
        }
        const event::Micros now = event::now();
        for (std::size_t number = 0; number < streams.size(); ++number) {
            if (!parts[number].empty()) {
                std::uint64_t incoming = 0;
                for (const Outgoing *message : parts[number]) {
                    incoming += size_of(*message);
                }
                make_room(*topic, streams[number], incoming, parts[number].size(), now);
                append(writer_, streams[number], parts[number], now);
            }
        }
        transaction.commit();
    }
    core_->doorbell.ring();
}

std::vector<TopicInfo> EmbeddedBrokerImplementation::topics() {
    const std::lock_guard lock(reader_mutex_);
    const Snapshot snapshot(reader_);
    std::vector<TopicInfo> out;
    for (const Topic &topic : list_topics(reader_)) {
        TopicInfo &info = out.emplace_back();
        info.topic = topic.name;
        info.partitions = topic.options.partitions;
        std::map<std::string, GroupInfo> groups;
        for (const Stream &stream : streams_of(reader_, topic.id)) {
            info.length += stream.next - stream.first;
            Statement &cursors = reader_.statement("SELECT grp, next FROM cursors WHERE stream = ?", "i", "ti");
            for (bool more = cursors.start(stream.id); more; more = cursors.next()) {
                groups[cursors.text(0)].backlog += stream.next - static_cast<std::uint64_t>(cursors.integer(1));
            }
            Statement &pending =
                reader_.statement("SELECT grp, sum(last - first + 1) FROM pending WHERE stream = ? GROUP BY grp", "i", "ti");
            for (bool more = pending.start(stream.id); more; more = pending.next()) {
                groups[pending.text(0)].pending += static_cast<std::uint64_t>(pending.integer(1));
            }
        }
        for (auto &[name, group] : groups) {
            group.group = name;
            info.groups.push_back(std::move(group));
        }
    }
    return out;
}

std::vector<Message> EmbeddedBrokerImplementation::browse(const Partition &partition, std::optional<Position> after, std::size_t limit) {
    return messages_of(partition, after, limit, false);
}

std::vector<Message> EmbeddedBrokerImplementation::newest(const Partition &partition, std::size_t limit) {
    return messages_of(partition, std::nullopt, limit, true);
}

bool EmbeddedBrokerImplementation::has_topic(const std::string &name) {
    const std::lock_guard lock(reader_mutex_);
    return find_topic(reader_, name).has_value();
}

std::vector<Message> EmbeddedBrokerImplementation::messages_of(const Partition &partition, std::optional<Position> after, std::size_t limit,
                                                               bool newest) {
    const std::lock_guard lock(reader_mutex_);
    const Snapshot snapshot(reader_);
    std::vector<std::shared_ptr<const Message>> read;
    if (const auto topic = find_topic(reader_, partition.topic)) {
        for (const Stream &stream : streams_of(reader_, topic->id)) {
            const std::uint64_t kept = stream.next - stream.first;
            const std::uint64_t begin = newest && kept > limit ? stream.next - limit : stream.first;
            const std::uint64_t first = std::max(begin, after ? after->high + 1 : begin);
            if (stream.number == partition.number && first < stream.next && limit > 0) {
                load(reader_, *topic, stream, first, std::min<std::uint64_t>(stream.next - first, limit) + first - 1, 1, read);
            }
        }
    }
    std::vector<Message> out;
    out.reserve(read.size());
    for (const auto &message : read) {
        out.push_back(*message);
    }
    return out;
}

std::optional<std::uint64_t> EmbeddedBrokerImplementation::lost(const Partition &partition) {
    const std::lock_guard lock(reader_mutex_);
    const Snapshot snapshot(reader_);
    if (const auto topic = find_topic(reader_, partition.topic)) {
        for (const Stream &stream : streams_of(reader_, topic->id)) {
            if (stream.number == partition.number) {
                return stream.first - 1; // offsets begin at 1 and have no gaps
            }
        }
    }
    return 0;
}

std::string EmbeddedBrokerImplementation::guarantee() const {
    return core_->options.synchronous == Synchronous::full ? "every published message is on the disk before publishing returns, and "
                                                             "survives kills and power cuts as far as the disk keeps its word"
                                                           : "every published message survives the kill of any process; a power cut may "
                                                             "lose those of the last moments (synchronous=normal)";
}

void EmbeddedBrokerImplementation::configure_topic(const std::string &name, const TopicOptions &options) {
    {
        const std::lock_guard lock(writer_mutex_);
        Transaction transaction(writer_, core_->write_lock);
        const auto topic = find_topic(writer_, name);
        if (!topic) {
            create_topic(writer_, name, options);
        } else if (topic->options.partitions != options.partitions) {
            throw Misconfigured("topic '" + name + "' has " + std::to_string(topic->options.partitions) + " partitions, not " +
                                std::to_string(options.partitions) +
                                "; their number decides where keys go and can't change: set partitions=" +
                                std::to_string(topic->options.partitions) + " or use another topic");
        } else {
            writer_.statement("UPDATE topics SET max_age_ms = ?, max_messages = ?, max_bytes = ? WHERE id = ?", "iiii", "")
                .run(static_cast<std::int64_t>(options.max_age.count()), options.max_messages, options.max_bytes, topic->id);
        }
        transaction.commit();
    }
    core_->doorbell.ring();
}

bool EmbeddedBrokerImplementation::drop_topic(const std::string &name) {
    const std::lock_guard lock(writer_mutex_);
    {
        Transaction transaction(writer_, core_->write_lock);
        const auto topic = find_topic(writer_, name);
        if (!topic) {
            return false;
        }
        for (const Stream &stream : streams_of(writer_, topic->id)) {
            writer_.statement("DELETE FROM cursors WHERE stream = ?", "i", "").run(stream.id);
            writer_.statement("DELETE FROM pending WHERE stream = ?", "i", "").run(stream.id);
        }
        writer_.statement("DELETE FROM streams WHERE topic = ?", "i", "").run(topic->id);
        writer_.statement("DELETE FROM topics WHERE id = ?", "i", "").run(topic->id);
        transaction.commit();
    }
    sweep_dropped();
    core_->doorbell.ring();
    return true;
}

void EmbeddedBrokerImplementation::sweep_dropped() {
    // Streams that have messages, found by jumping from one to the next; a killed `drop_topic` may have left some.
    std::int64_t after = 0;
    for (;;) {
        Transaction transaction(writer_, core_->write_lock);
        Statement &find = writer_.statement("SELECT id >> 43 FROM messages WHERE id >= ? ORDER BY id LIMIT 1", "i", "i");
        if (!find.first(message_id(after, 0))) {
            return;
        }
        const std::int64_t stream = find.integer(0);
        Statement &known = writer_.statement("SELECT id FROM streams WHERE id = ?", "i", "i");
        if (known.first(stream)) {
            after = stream + 1;
            continue;
        }
        writer_.statement("DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE id BETWEEN ? AND ? LIMIT ?)", "iii", "")
            .run(message_id(stream, 0), message_id(stream, kOffsetMask), kTrimChunk);
        transaction.commit();
    }
}

bool EmbeddedBrokerImplementation::drop_group(const std::string &name, const std::string &group) {
    const std::lock_guard lock(writer_mutex_);
    Transaction transaction(writer_, core_->write_lock);
    std::int64_t removed = 0;
    if (const auto topic = find_topic(writer_, name)) {
        for (const Stream &stream : streams_of(writer_, topic->id)) {
            Statement &forget = writer_.statement("DELETE FROM cursors WHERE stream = ? AND grp = ?", "it", "");
            forget.run(stream.id, group);
            removed += forget.changes();
            writer_.statement("DELETE FROM pending WHERE stream = ? AND grp = ?", "it", "").run(stream.id, group);
        }
    }
    transaction.commit();
    return removed > 0;
}

std::uint64_t EmbeddedBrokerImplementation::trim() {
    const std::lock_guard lock(writer_mutex_);
    std::uint64_t total = 0;
    for (const Topic &topic : list_topics(writer_)) {
        for (const Stream &stale : streams_of(writer_, topic.id)) {
            for (std::uint64_t removed = kTrimChunk; removed == kTrimChunk;) {
                Transaction transaction(writer_, core_->write_lock);
                removed = 0;
                for (Stream &stream : streams_of(writer_, topic.id)) {
                    if (stream.id == stale.id) {
                        removed = embedded::trim(writer_, topic, stream, event::now(), 0, kTrimChunk);
                    }
                }
                transaction.commit();
                total += removed;
            }
        }
    }
    sweep_dropped();
    return total;
}

} // namespace
} // namespace embedded

std::unique_ptr<EmbeddedBroker> open_embedded_broker(const EmbeddedOptions &options) {
    embedded::prepare_file(options);
    return std::make_unique<embedded::EmbeddedBrokerImplementation>(options);
}

} // namespace weir::broker
