// SPDX-License-Identifier: Apache-2.0
#include "log.hpp"

#include "event/uuid.hpp"
#include "headers.hpp"

#include <algorithm>

namespace weir::broker::embedded {

namespace {
constexpr std::string_view kTopicColumns = "SELECT id, name, incarnation, partitions, max_age_ms, max_messages, max_bytes FROM topics";

Topic topic_of(Statement &row) {
    Topic topic;
    topic.id = row.integer(0);
    topic.name = row.text(1);
    topic.incarnation = row.text(2);
    topic.options.partitions = static_cast<std::uint32_t>(row.integer(3));
    topic.options.max_age = std::chrono::milliseconds(row.integer(4));
    topic.options.max_messages = static_cast<std::uint64_t>(row.integer(5));
    topic.options.max_bytes = static_cast<std::uint64_t>(row.integer(6));
    return topic;
}
} // namespace

std::size_t size_of(const Outgoing &message) {
    std::size_t size = message.key.size() + message.body.size();
    for (const auto &[name, value] : message.headers) {
        size += name.size() + value.size();
    }
    return size;
}

std::optional<Topic> find_topic(Connection &connection, std::string_view name) {
    static const std::string sql = std::string(kTopicColumns) + " WHERE name = ?";
    Statement &find = connection.statement(sql, "t", "ittiiii");
    return find.first(name) ? std::optional(topic_of(find)) : std::nullopt;
}

std::vector<Topic> list_topics(Connection &connection) {
    static const std::string sql = std::string(kTopicColumns) + " ORDER BY name";
    Statement &list = connection.statement(sql, "", "ittiiii");
    std::vector<Topic> topics;
    for (bool more = list.start(); more; more = list.next()) {
        topics.push_back(topic_of(list));
    }
    return topics;
}

std::vector<Stream> streams_of(Connection &connection, std::int64_t topic) {
    Statement &list =
        connection.statement("SELECT id, number, first, next, bytes, last_at FROM streams WHERE topic = ? ORDER BY number", "i", "iiiiii");
    std::vector<Stream> streams;
    for (bool more = list.start(topic); more; more = list.next()) {
        Stream &stream = streams.emplace_back();
        stream.id = list.integer(0);
        stream.number = static_cast<std::uint32_t>(list.integer(1));
        stream.first = static_cast<std::uint64_t>(list.integer(2));
        stream.next = static_cast<std::uint64_t>(list.integer(3));
        stream.bytes = static_cast<std::uint64_t>(list.integer(4));
        stream.last_at = list.integer(5);
    }
    return streams;
}

Topic create_topic(Connection &connection, const std::string &name, const TopicOptions &options) {
    if (name.empty() || name.size() > 249 || name.find('\0') != std::string::npos) {
        throw Misconfigured("topic '" + name.substr(0, 64) + "': a topic's name has 1 to 249 bytes and no NUL; change it in `topics`");
    }
    if (options.partitions < 1 || options.partitions > kMaxPartitions) {
        throw Misconfigured("topic '" + name + "': partitions must be 1 to " + std::to_string(kMaxPartitions) + ", not " +
                            std::to_string(options.partitions));
    }
    connection
        .statement("INSERT INTO topics(name, incarnation, partitions, max_age_ms, max_messages, max_bytes) VALUES(?, ?, ?, ?, ?, ?)",
                   "ttiiii", "")
        .run(name, event::Uuid::random().text(), options.partitions, static_cast<std::int64_t>(options.max_age.count()),
             options.max_messages, options.max_bytes);
    const auto topic = find_topic(connection, name);
    Statement &add =
        connection.statement("INSERT INTO streams(topic, number, first, next, bytes, last_at) VALUES(?, ?, 1, 1, 0, 0)", "ii", "");
    for (std::uint32_t number = 0; number < options.partitions; ++number) {
        add.run(topic->id, number);
    }
    return *topic;
}

void append(Connection &connection, Stream &stream, std::span<const Outgoing *const> messages, event::Micros now) {
    Statement &insert = connection.statement("INSERT INTO messages(id, size, appended_at, key, headers, body) VALUES(?, ?, ?, "
                                             "CAST(nullif(?, '') AS BLOB), CAST(nullif(?, '') AS BLOB), CAST(? AS BLOB))",
                                             "iiittt", "");
    stream.last_at = std::max(stream.last_at, now);
    for (const Outgoing *message : messages) {
        const std::size_t size = size_of(*message);
        insert.run(message_id(stream.id, stream.next), size, stream.last_at, message->key, encode_headers(message->headers), message->body);
        stream.next += 1;
        stream.bytes += size;
    }
    connection.statement("UPDATE streams SET next = ?, bytes = ?, last_at = ? WHERE id = ?", "iiii", "")
        .run(stream.next, stream.bytes, stream.last_at, stream.id);
}

void load(Connection &connection, const Topic &topic, const Stream &stream, std::uint64_t first, std::uint64_t last,
          std::uint32_t deliveries, std::vector<std::shared_ptr<const Message>> &out) {
    Statement &read = connection.statement("SELECT id, appended_at, key, headers, body FROM messages WHERE id BETWEEN ? AND ? ORDER BY id",
                                           "ii", "iittt");
    for (bool more = read.start(message_id(stream.id, first), message_id(stream.id, last)); more; more = read.next()) {
        auto message = std::make_shared<Message>();
        message->topic = topic.name;
        message->partition = stream.number;
        message->position.high = static_cast<std::uint64_t>(read.integer(0)) & kOffsetMask;
        message->incarnation = topic.incarnation;
        message->appended_at = read.integer(1);
        message->deliveries = deliveries;
        message->key = read.text(2);
        if (!read.is_null(3)) {
            message->headers = decode_headers(read.text(3));
        }
        message->body = read.text(4);
        out.push_back(std::move(message));
    }
}

std::uint64_t fitting(Connection &connection, std::int64_t stream, std::uint64_t first, std::uint64_t last, std::size_t &messages,
                      std::size_t &bytes, bool forced) {
    if (messages == 0) {
        return 0;
    }
    Statement &sizes = connection.statement("SELECT size FROM messages WHERE id BETWEEN ? AND ? ORDER BY id", "ii", "i");
    last = std::min<std::uint64_t>(last, first + messages - 1);
    std::uint64_t count = 0;
    for (bool more = sizes.start(message_id(stream, first), message_id(stream, last)); more; more = sizes.next()) {
        const auto size = static_cast<std::size_t>(sizes.integer(0));
        if (size > bytes && !(forced && count == 0)) {
            break;
        }
        bytes -= std::min(size, bytes);
        messages -= 1;
        ++count;
    }
    sizes.reset();
    return count;
}

} // namespace weir::broker::embedded
