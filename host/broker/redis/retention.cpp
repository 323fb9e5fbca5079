// SPDX-License-Identifier: Apache-2.0
#include "retention.hpp"

#include "entry.hpp"
#include "failure.hpp"
#include "topic.hpp"

#include <algorithm>

namespace weir::broker::redis {

namespace {

constexpr Position kEnd{UINT64_MAX, UINT64_MAX};

/// The first entry that some group still waits for, or has pending.
std::optional<Position> first_needed(Connection &connection, const std::string &key) {
    const Reply &groups = connection.execute({"XINFO", "GROUPS", key});
    if (groups.is_error("ERR no such key")) {
        return std::nullopt;
    }
    Position first = kEnd;
    std::vector<std::string> names;
    for (const Reply &group : check(connection.options(), groups, "XINFO", key).array()) {
        if (is_marker(group)) {
            continue;
        }
        if (const auto delivered = parse_id(group.value_of("last-delivered-id").text)) {
            first = std::min(first, after(*delivered));
        }
        names.emplace_back(group.value_of("name").text);
    }
    if (names.empty()) {
        return first;
    }
    Commands commands;
    for (const std::string &name : names) {
        commands.add({"XPENDING", key, name});
    }
    for (const Reply *pending : connection.execute(commands)) {
        if (const auto oldest = parse_id((*pending)[1].text)) {
            first = std::min(first, *oldest);
        }
    }
    return first;
}

} // namespace

void trim(Connection &connection, const std::string &key, const RedisOptions &options) {
    const auto needed = options.trim_unread ? std::optional(kEnd) : first_needed(connection, key);
    if (!needed) {
        return;
    }
    if (options.max_age.count() > 0) {
        const Reply &time = check(connection.options(), connection.execute({"TIME"}), "TIME"); // the clock that made the ids
        const std::uint64_t now = std::strtoull(std::string(time[0].text).c_str(), nullptr, 10) * 1000;
        const auto age = static_cast<std::uint64_t>(options.max_age.count());
        const Position oldest{now > age ? now - age : 0, 0};
        check(connection.options(), connection.execute({"XTRIM", key, "MINID", "~", id_of(std::min(oldest, *needed))}), "XTRIM", key);
    }
    if (options.max_messages > 0) {
        const auto length = static_cast<std::uint64_t>(check(connection.options(), connection.execute({"XLEN", key}), "XLEN", key).integer);
        if (length > options.max_messages) {
            const std::string excess = std::to_string(length - options.max_messages);
            check(connection.options(), connection.execute({"XTRIM", key, "MINID", "~", id_of(*needed), "LIMIT", excess}), "XTRIM", key);
        }
    }
}

std::string describe_guarantee(Connection &connection) {
    Commands commands;
    commands.add({"CONFIG", "GET", "appendonly"}).add({"CONFIG", "GET", "appendfsync"}).add({"CONFIG", "GET", "save"});
    commands.add({"CONFIG", "GET", "maxmemory-policy"}).add({"INFO", "persistence"});
    const auto answers = connection.execute(commands);
    const std::string_view log = answers[0]->value_of("appendonly").text;
    const std::string_view sync = answers[1]->value_of("appendfsync").text;
    const std::string_view save = answers[2]->value_of("save").text;
    const std::string_view policy = answers[3]->value_of("maxmemory-policy").text;
    const bool may_ask = !answers[0]->is_error();
    const bool has_log = may_ask ? log == "yes" : answers[4]->text.find("aof_enabled:1") != std::string_view::npos;
    std::string out;
    if (!may_ask && answers[4]->is_error()) {
        out = "what Redis keeps through a crash can't be told: the user may run neither CONFIG GET nor INFO there";
    } else if (has_log && sync == "always") {
        out = "every published message is in Redis's append-only file and on the disk before publishing returns (appendfsync always)";
    } else if (has_log) {
        out = sync == "everysec"
                  ? "a crash of Redis's machine loses the published messages of the last second or two (appendfsync everysec)"
              : sync == "no"
                  ? "a crash of Redis's machine loses the published messages that its system had not yet written, often those of "
                    "half a minute (appendfsync no)"
                  : "Redis writes an append-only file, but how often it reaches the disk this user may not read (CONFIG GET appendfsync)";
    } else if (may_ask && save.empty()) {
        out = "Redis keeps messages in memory alone: a restart of it loses all of them (appendonly no, no save points); set appendonly yes";
    } else {
        out = "a crash or kill of Redis loses what was published since its last snapshot (appendonly no); set appendonly yes";
    }
    if (policy.starts_with("allkeys")) {
        out += "; and at maxmemory Redis throws whole topics away (maxmemory-policy " + std::string(policy) + "): set noeviction";
    }
    return out;
}

} // namespace weir::broker::redis
