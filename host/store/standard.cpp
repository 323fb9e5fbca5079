// SPDX-License-Identifier: Apache-2.0
#include "standard.hpp"

namespace weir::store {

namespace {

constexpr std::size_t kTopic = 200;    // as long as the configuration lets it be
constexpr std::size_t kMessage = 2000; // longer than most

} // namespace

std::string_view status_name(DeadLetterStatus status) noexcept {
    switch (status) {
    case DeadLetterStatus::replayed:
        return "replayed";
    case DeadLetterStatus::dropped:
        return "dropped";
    case DeadLetterStatus::pending:
        break;
    }
    return "pending";
}

DeadLetterStatus status_from(std::string_view name) noexcept {
    return name == "replayed" ? DeadLetterStatus::replayed : name == "dropped" ? DeadLetterStatus::dropped : DeadLetterStatus::pending;
}

std::vector<DeadLetter> trial_letters() {
    std::vector<DeadLetter> letters;
    for (const auto status : {DeadLetterStatus::pending, DeadLetterStatus::replayed, DeadLetterStatus::dropped}) {
        DeadLetter &letter = letters.emplace_back();
        letter.event_id = event::Uuid::random();
        letter.topic = std::string(kTopic, 't');
        letter.position = "18446744073709551615-18446744073709551615";
        letter.event_type = "weir.trial.v1";
        letter.raw = "{";
        letter.error_type = "trial";
        letter.error_message = std::string(kMessage, 'm');
        letter.status = status;
        letter.created_at = letter.updated_at = event::now();
    }
    return letters;
}

std::vector<LedgerEntry> trial_entries() {
    std::vector<LedgerEntry> entries;
    for (const auto outcome : {Outcome::applied, Outcome::stale, Outcome::ignored, Outcome::dead}) {
        entries.push_back({event::Uuid::random(), event::now(), outcome});
    }
    return entries;
}

} // namespace weir::store
