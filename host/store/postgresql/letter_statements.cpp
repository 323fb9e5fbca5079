// SPDX-License-Identifier: Apache-2.0
#include "letter_statements.hpp"

#include "existing.hpp"
#include "storable.hpp"

#include "store/standard.hpp"

#include <string_view>

namespace weir::store::postgresql {

namespace {

constexpr std::string_view kCut = "..."; // which every encoding has

std::string hex(const std::string &bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out = "\\x";
    for (const char c : bytes) {
        out += kDigits[static_cast<unsigned char>(c) >> 4];
        out += kDigits[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

} // namespace

LetterLimits letter_limits(const ExistingTable &queue) {
    LetterLimits limits;
    for (const ExistingColumn &column : queue.columns) {
        if (const auto longest = column.longest()) {
            limits[column.name] = *longest;
        }
    }
    return limits;
}

std::string clipped(const std::string &expression, const char *column, const LetterLimits &limits) {
    const auto limit = limits.find(column);
    if (limit == limits.end()) {
        return expression;
    }
    const std::string kept = std::to_string(limit->second - kCut.size());
    return "(select case when char_length(given) > " + std::to_string(limit->second) + " then left(given, " + kept + ") || '" +
           std::string(kCut) + "' else given end from (select cast(" + expression + " as text)) as one(given))";
}

// Parameters without a type take that of their column, which may be an enumeration of another program's.
Command insert_letter(const Place &place, const LetterLimits &limits, const DeadLetter &letter) {
    const auto data = storable_json(letter.event_data);
    return {"insert into " + place.qualified("dead_letter_queue") +
                " (event_id, topic, partition, position, event_type, event_data, raw, error_type, error_message, retry_count, "
                "status, created_at, updated_at, context) values ($1, $2, $3, $4, " +
                clipped("$5", "event_type", limits) + ", $6, $7, " + clipped("$8", "error_type", limits) + ", " +
                clipped("$9", "error_message", limits) + ", $10, $11, $12, $13, $14) on conflict (event_id) do nothing",
            {{0, letter.event_id.text()},
             {0, storable(letter.topic)},
             {0, std::to_string(letter.partition)},
             {0, storable(letter.position)},
             {0, storable(letter.event_type)},
             {0, data.value_or(""), !data},
             {0, hex(letter.raw)},
             {0, storable(letter.error_type)},
             {0, storable(letter.error_message)},
             {0, std::to_string(letter.retry_count)},
             {0, std::string(status_name(letter.status))},
             {0, event::format_time(letter.created_at)},
             {0, event::format_time(letter.updated_at)},
             {0, letter.context.empty() ? std::string(kNoContext) : letter.context}},
            true,
            Meaning::standard};
}

} // namespace weir::store::postgresql
