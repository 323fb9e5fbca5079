// SPDX-License-Identifier: Apache-2.0
#include "retention.hpp"

#include <algorithm>

namespace weir::broker::embedded {

namespace {
constexpr std::string_view kWaitedFor =
    "SELECT c.grp, min(c.next, ifnull((SELECT min(p.first) FROM pending p WHERE p.stream = c.stream AND p.grp = c.grp), c.next)) AS oldest "
    "FROM cursors c WHERE c.stream = ? ORDER BY oldest LIMIT 1";
} // namespace

std::string slowest_group(Connection &connection, std::int64_t stream) {
    Statement &find = connection.statement(kWaitedFor, "i", "ti");
    return find.first(stream) ? find.text(0) : std::string();
}

std::uint64_t trim(Connection &connection, const Topic &topic, Stream &stream, event::Micros now, std::uint64_t incoming,
                   std::uint64_t budget) {
    const TopicOptions &limits = topic.options;
    if ((limits.max_age.count() == 0 && limits.max_messages == 0 && limits.max_bytes == 0) || stream.first == stream.next) {
        return 0;
    }
    Statement &find = connection.statement(kWaitedFor, "i", "ti");
    const std::uint64_t floor =
        find.first(stream.id) ? std::min<std::uint64_t>(stream.next, static_cast<std::uint64_t>(find.integer(1))) : stream.next;
    if (stream.first >= floor) {
        return 0;
    }
    const std::int64_t cutoff = limits.max_age.count() == 0 ? event::kEarliest : now - std::chrono::microseconds(limits.max_age).count();
    Statement &oldest =
        connection.statement("SELECT size, appended_at FROM messages WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", "iii", "ii");
    std::uint64_t removed = 0;
    std::uint64_t bytes = 0;
    bool more = oldest.start(message_id(stream.id, stream.first), message_id(stream.id, floor - 1), budget);
    for (; more; more = oldest.next()) {
        const bool old = oldest.integer(1) < cutoff;
        const bool many = limits.max_messages != 0 && stream.next - stream.first - removed > limits.max_messages;
        const bool large = limits.max_bytes != 0 && stream.bytes - bytes + incoming > limits.max_bytes;
        if (!old && !many && !large) {
            break;
        }
        bytes += static_cast<std::uint64_t>(oldest.integer(0));
        removed += 1;
    }
    oldest.reset();
    if (removed == 0) {
        return 0;
    }
    connection.statement("DELETE FROM messages WHERE id BETWEEN ? AND ?", "ii", "")
        .run(message_id(stream.id, stream.first), message_id(stream.id, stream.first + removed - 1));
    stream.first += removed;
    stream.bytes -= std::min(bytes, stream.bytes);
    connection.statement("UPDATE streams SET first = ?, bytes = ? WHERE id = ?", "iii", "").run(stream.first, stream.bytes, stream.id);
    return removed;
}

} // namespace weir::broker::embedded
