// SPDX-License-Identifier: Apache-2.0
#include "entry.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace weir::broker::redis {

namespace {

constexpr std::string_view kHeaderPrefix = "header:";
constexpr std::string_view kKeyField = "key";
constexpr std::string_view kOurField = "event";
constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();

bool is_body(std::string_view name) { return name == kOurField || name == "data" || name == "payload" || name == "body"; }

/// The server's clock, as the id has it; ids that somebody made up may lie beyond what a time can be.
event::Micros time_of(const Position &position) {
    return static_cast<event::Micros>(std::min<std::uint64_t>(position.high, event::kLatest / 1000)) * 1000;
}

std::shared_ptr<Message> message_at(const Origin &origin, Position position, std::uint32_t deliveries) {
    auto message = std::make_shared<Message>();
    message->topic = origin.partition.topic;
    message->partition = origin.partition.number;
    message->position = position;
    message->two_part_position = true;
    message->incarnation = origin.incarnation;
    message->appended_at = time_of(position);
    message->deliveries = deliveries;
    return message;
}

/// Where the body stands if the entry is one body with a key and headers; else nothing.
std::optional<std::size_t> find_body(std::span<const Reply> fields) {
    std::optional<std::size_t> body;
    bool key = false;
    for (std::size_t at = 0; at + 1 < fields.size(); at += 2) {
        const std::string_view name = fields[at].text;
        if (is_body(name) && !body) {
            body = at;
        } else if (name == kKeyField && !key) {
            key = true;
        } else if (!name.starts_with(kHeaderPrefix)) {
            return std::nullopt;
        }
    }
    return body;
}

} // namespace

std::string id_of(const Position &position) {
    std::array<char, 48> text;
    char *end = std::to_chars(text.data(), text.data() + 24, position.high).ptr;
    *end++ = '-';
    end = std::to_chars(end, text.data() + text.size(), position.low).ptr;
    return {text.data(), end};
}

std::optional<Position> parse_id(std::string_view text) {
    Position position;
    const char *const end = text.data() + text.size();
    const auto [dash, error] = std::from_chars(text.data(), end, position.high);
    if (error != std::errc() || dash == end || *dash != '-') {
        return std::nullopt;
    }
    const auto [last, wrong] = std::from_chars(dash + 1, end, position.low);
    if (wrong != std::errc() || last != end) {
        return std::nullopt;
    }
    return position;
}

Position before(Position position) {
    if (position.low > 0) {
        return {position.high, position.low - 1};
    }
    return position.high > 0 ? Position{position.high - 1, kLast} : Position{};
}

Position after(Position position) {
    if (position.low < kLast) {
        return {position.high, position.low + 1};
    }
    return position.high < kLast ? Position{position.high + 1, 0} : position;
}

void add_entry(Commands &commands, std::string_view stream, const Outgoing &message, std::uint64_t keep) {
    const std::size_t fields = 1 + (message.key.empty() ? 0 : 1) + message.headers.size();
    commands.begin(4 + (keep > 0 ? 3 : 0) + 2 * fields).word("XADD").word(stream).word("NOMKSTREAM");
    if (keep > 0) {
        commands.word("MAXLEN").word("~").word(std::to_string(keep));
    }
    commands.word("*").word(kOurField).word(message.body);
    if (!message.key.empty()) {
        commands.word(kKeyField).word(message.key);
    }
    std::string name;
    for (const auto &[header, value] : message.headers) {
        name.assign(kHeaderPrefix).append(header);
        commands.word(name).word(value);
    }
}

std::shared_ptr<Message> read_entry(const Origin &origin, const Reply &entry, std::uint32_t deliveries) {
    const auto position = parse_id(entry[0].text);
    if (!position) {
        return nullptr;
    }
    if (entry[1].type != Reply::Type::array) {
        return lost_message(origin, *position, deliveries);
    }
    auto message = message_at(origin, *position, deliveries);
    const std::span<const Reply> fields = entry[1].array();
    const auto body = find_body(fields);
    for (std::size_t at = 0; at + 1 < fields.size(); at += 2) {
        const std::string_view name = fields[at].text;
        const std::string_view value = fields[at + 1].text;
        if (name == kKeyField && message->key.empty()) {
            message->key = value;
        }
        if (!body) {
            message->fields.emplace_back(name, value);
        } else if (at == *body) {
            message->body_field = name;
            message->body = value;
        } else if (name != kKeyField) {
            message->headers.emplace_back(name.substr(kHeaderPrefix.size()), value);
        }
    }
    return message;
}

std::shared_ptr<Message> lost_message(const Origin &origin, Position position, std::uint32_t deliveries) {
    static const auto kTrimmed = std::make_shared<const event::Refusal>(event::Refusal{
        "entry_trimmed",
        "The entry was removed from its stream (XTRIM, MAXLEN or XDEL) before it was acknowledged. What it held is gone, and "
        "so nobody can tell whether it was applied. Trim less, or by what all groups have acknowledged."});
    auto message = message_at(origin, position, deliveries);
    message->lost = kTrimmed;
    return message;
}

} // namespace weir::broker::redis
