// SPDX-License-Identifier: Apache-2.0
#include "topic.hpp"

#include "entry.hpp"
#include "event/uuid.hpp"
#include "failure.hpp"

#include <algorithm>
#include <limits>

namespace weir::broker::redis {

namespace {

constexpr std::uint32_t kWindow = 64; ///< partitions looked for at once; the next as many only where some of these are there
constexpr std::string_view kMarker = "weir.incarnation";
constexpr std::uint64_t kFirstPlausible = 1'000'000'000'000; ///< 2001, in milliseconds: an id from before was made up by its producer
constexpr std::uint64_t kCounted = 1000;
constexpr std::uint64_t kLooked = 100;
constexpr std::uint64_t kLookedBytes = 256 * 1024; // counting entries reads them

std::uint64_t half(const event::Uuid &id, std::size_t from) {
    std::uint64_t out = 0;
    for (std::size_t at = from; at < from + 8; ++at) {
        out = out << 8 | id.bytes[at];
    }
    return out;
}

/// A UUID as the position of a group: beyond every entry, so that the group has nothing to deliver and nothing to wait for.
Position marker_position(event::Uuid id) {
    id.bytes[0] |= 0x80;
    return {half(id, 0), half(id, 8)};
}

std::string marker_text(const Position &position) {
    event::Uuid id;
    for (std::size_t at = 0; at < 8; ++at) {
        id.bytes[7 - at] = static_cast<std::uint8_t>(position.high >> (8 * at));
        id.bytes[15 - at] = static_cast<std::uint8_t>(position.low >> (8 * at));
    }
    return id.text();
}

bool is_missing(const Reply &reply) { return reply.is_error("ERR no such key") || reply.is_error("ERR The XGROUP subcommand requires"); }

void refuse_both(const Connection &connection, const std::string &topic, const std::string &part) {
    throw Misconfigured(connection.options().key + ": " + connection.options().place() + " has a stream '" + topic + "' and a stream '" +
                        part + "', so topic '" + topic +
                        "' would be one partition and several at once; rename one of them or name another topic in topics");
}

} // namespace

std::string partition_key(const std::string &topic, std::uint32_t number) { return topic + "." + std::to_string(number); }

std::map<std::string, std::vector<Stream>> find_streams(Connection &connection, std::span<const std::string> topics) {
    std::map<std::string, std::vector<Stream>> found;
    std::vector<std::string> open(topics.begin(), topics.end());
    for (std::uint32_t from = 0; from < kMostPartitions && !open.empty(); from += kWindow) {
        Commands commands;
        for (const std::string &topic : open) {
            commands.add({"TYPE", topic});
            for (std::uint32_t number = from; number < from + kWindow; ++number) {
                commands.add({"TYPE", partition_key(topic, number)});
            }
        }
        const auto answers = connection.execute(commands);
        std::vector<std::string> next;
        std::size_t at = 0;
        for (const std::string &topic : open) {
            std::vector<Stream> &streams = found[topic];
            const std::string_view plain = check(connection.options(), *answers[at++], "TYPE", topic).text;
            bool any = false;
            std::string in_the_way;
            for (std::uint32_t number = from; number < from + kWindow; ++number) {
                const std::string key = partition_key(topic, number);
                const Reply &type = *answers[at++];
                if (type.is_error("NOPERM")) {
                    continue; // a user who may only use the topic's plain key
                }
                if (check(connection.options(), type, "TYPE", key).text == "stream") {
                    if (plain == "stream") {
                        refuse_both(connection, topic, key);
                    }
                    streams.push_back({{topic, number}, key});
                    any = true;
                } else if (type.text != "none" && in_the_way.empty()) {
                    in_the_way = key;
                }
            }
            if (plain == "stream") {
                streams.push_back({{topic, 0}, topic});
            } else if (!streams.empty() && !in_the_way.empty()) {
                refuse(connection.options(), "WRONGTYPE", "TYPE", in_the_way);
            } else if (streams.empty() && plain != "none") {
                refuse(connection.options(), "WRONGTYPE", "TYPE", topic);
            }
            if (any) {
                next.push_back(topic);
            }
        }
        open = std::move(next);
    }
    return found;
}

std::vector<Stream> find_streams(Connection &connection, const std::string &topic) {
    return std::move(find_streams(connection, std::span(&topic, 1))[topic]);
}

void make_streams(Connection &connection, const std::string &topic, std::uint32_t partitions) {
    Commands commands;
    commands.add({"MULTI"});
    for (std::uint32_t number = 0; number < partitions; ++number) {
        const std::string id = id_of(marker_position(event::Uuid::random()));
        commands.add({"XGROUP", "CREATE", partitions == 1 ? topic : partition_key(topic, number), kMarker, id, "MKSTREAM"});
    }
    commands.add({"EXEC"});
    const auto answers = connection.execute(commands);
    for (std::size_t at = 1; at + 1 < answers.size(); ++at) {
        check(connection.options(), *answers[at], "XGROUP",
              partitions == 1 ? topic : partition_key(topic, static_cast<std::uint32_t>(at - 1)));
    }
    for (const Reply &reply : check(connection.options(), *answers.back(), "EXEC").array()) {
        if (!reply.is_error("BUSYGROUP")) {
            check(connection.options(), reply, "XGROUP", topic);
        }
    }
}

std::optional<std::string> incarnation_in(const Reply &groups) {
    for (const Reply &group : groups.array()) {
        if (is_marker(group)) {
            if (const auto position = parse_id(group.value_of("last-delivered-id").text)) {
                return marker_text(*position);
            }
        }
    }
    return std::nullopt;
}

std::optional<std::string> incarnation_of(Connection &connection, const std::string &key) {
    for (;;) {
        Commands commands;
        commands.add({"XINFO", "GROUPS", key}).add({"XRANGE", key, "-", "+", "COUNT", "1"});
        const auto answers = connection.execute(commands);
        if (is_missing(*answers[0])) {
            return std::nullopt;
        }
        if (auto known = incarnation_in(check(connection.options(), *answers[0], "XINFO", key))) {
            return known;
        }
        // Made from the first entry where that can be: should the server lose its last second, the same one is made again.
        const std::string_view id = check(connection.options(), *answers[1], "XRANGE", key)[0][0].text;
        const auto first = parse_id(id);
        const event::Uuid uuid = first && first->high >= kFirstPlausible
                                     ? event::Uuid::v5(event::weir_namespace(), "redis:" + key + ":" + std::string(id))
                                     : event::Uuid::random();
        const Reply &made = connection.execute({"XGROUP", "CREATE", key, kMarker, id_of(marker_position(uuid))});
        if (is_missing(made)) {
            return std::nullopt;
        }
        if (!made.is_error("BUSYGROUP")) {
            check(connection.options(), made, "XGROUP", key);
        }
    }
}

bool is_marker(const Reply &group) { return group.value_of("name").text == kMarker; }

const Reply *find_group(const Reply &groups, std::string_view name) {
    const auto all = groups.array();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Reply &group) { return group.value_of("name").text == name; });
    return found == all.end() ? nullptr : &*found;
}

bool make_group(Connection &connection, const std::string &key, const std::string &group, std::optional<Position> position) {
    if (position) {
        const Reply &stream = connection.execute({"XINFO", "STREAM", key});
        if (is_missing(stream)) {
            return false;
        }
        // A stream that lost its end may go on below what was stored; a group beyond it would never see that.
        const auto last = parse_id(check(connection.options(), stream, "XINFO", key).value_of("last-generated-id").text);
        position = last ? std::min(*position, *last) : *position;
    }
    const Reply &made = connection.execute({"XGROUP", "CREATE", key, group, id_of(position.value_or(Position{}))});
    if (made.is_error("BUSYGROUP") || is_missing(made)) {
        return false;
    }
    check(connection.options(), made, "XGROUP", key);
    return true;
}

namespace {

std::uint64_t count_from(Connection &connection, const std::string &key, const std::string &from, std::uint64_t most) {
    return check(connection.options(), connection.execute({"XRANGE", key, from, "+", "COUNT", std::to_string(most)}), "XRANGE", key).count;
}

// How many entries to count, which is to read them, by the length of the first.
std::uint64_t worth_counting(Connection &connection, const std::string &key, const std::string &from, std::uint64_t most) {
    const Reply &found = check(connection.options(), connection.execute({"XRANGE", key, from, "+", "COUNT", "1"}), "XRANGE", key);
    std::uint64_t bytes = 1;
    for (const Reply &field : found[0][1].array()) {
        bytes += field.text.size();
    }
    return std::clamp<std::uint64_t>(kLookedBytes / bytes, 1, most);
}

} // namespace

std::uint64_t backlog_of(Connection &connection, const std::string &key, const Reply &group, std::uint64_t length) {
    const auto delivered = parse_id(group.value_of("last-delivered-id").text);
    if (!delivered || length == 0) {
        return 0;
    }
    const std::string from = "(" + id_of(*delivered);
    if (const Reply &lag = group.value_of("lag"); lag.type == Reply::Type::integer) {
        const auto told = static_cast<std::uint64_t>(std::max<std::int64_t>(lag.integer, 0)); // `group` is of no use after the next call
        // A Redis that reads its append-only file when it starts doesn't count what the group had been given since that was rewritten, and
        // is wrong by as much from then on (seen with 7.0). So few are counted.
        const std::uint64_t looked = worth_counting(connection, key, from, kLooked);
        const std::uint64_t left = count_from(connection, key, from, looked);
        return left < looked ? left : std::clamp(told, left, std::max(left, length));
    }
    const std::uint64_t most = worth_counting(connection, key, from, kCounted);
    Commands commands;
    commands.add({"XRANGE", key, from, "+", "COUNT", std::to_string(most)}).add({"XRANGE", key, "-", "+", "COUNT", "1"});
    commands.add({"XREVRANGE", key, "+", "-", "COUNT", "1"});
    const auto answers = connection.execute(commands);
    const std::uint64_t counted = check(connection.options(), *answers[0], "XRANGE", key).count;
    const auto first = parse_id((*answers[1])[0][0].text);
    const auto last = parse_id((*answers[2])[0][0].text);
    if (counted < most || !first || !last || *delivered < *first || last->high <= first->high) {
        return counted < most ? counted : std::max(length, counted);
    }
    const double share =
        static_cast<double>(last->high - std::min(delivered->high, last->high)) / static_cast<double>(last->high - first->high);
    return std::clamp(static_cast<std::uint64_t>(share * static_cast<double>(length)), std::min(counted, length),
                      std::max(length, counted));
}

} // namespace weir::broker::redis
