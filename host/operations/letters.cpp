// SPDX-License-Identifier: Apache-2.0
#include "operations/letters.hpp"

#include <charconv>
#include <utility>

namespace weir::operations {

namespace {
constexpr int kContendedRuns = 10;
}

std::string_view status_name(store::DeadLetterStatus status) noexcept {
    switch (status) {
    case store::DeadLetterStatus::pending:
        return "pending";
    case store::DeadLetterStatus::replayed:
        return "replayed";
    case store::DeadLetterStatus::dropped:
        return "dropped";
    }
    return "unknown";
}

std::optional<store::DeadLetterStatus> status_named(std::string_view name) noexcept {
    for (const auto status : {store::DeadLetterStatus::pending, store::DeadLetterStatus::replayed, store::DeadLetterStatus::dropped}) {
        if (status_name(status) == name) {
            return status;
        }
    }
    return std::nullopt;
}

std::optional<LetterId> parse_letter_id(std::string_view text) {
    LetterId id;
    id.event_id = event::Uuid::parse(text);
    if (id.event_id) {
        return id;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id.number);
    return error == std::errc() && end == text.data() + text.size() && id.number > 0 ? std::optional(id) : std::nullopt;
}

std::optional<store::DeadLetter> find_letter(store::Session &session, const LetterId &id) {
    if (id.event_id) {
        return session.dead_letter(*id.event_id);
    }
    store::DeadLetterFilter filter;
    filter.after_id = id.number - 1;
    filter.limit = 1;
    auto found = session.dead_letters(filter);
    return found.empty() || found.front().id != id.number ? std::nullopt : std::optional(std::move(found.front()));
}

bool drop_letter(store::Session &session, const store::DeadLetter &letter) {
    for (int run = 1;; ++run) {
        try {
            session.begin({});
            const auto locked = session.lock_dead_letter(letter.id);
            if (locked) {
                session.settle_dead_letter(*locked, store::DeadLetterStatus::dropped, store::Outcome::dead);
            }
            session.commit();
            return locked.has_value();
        } catch (const store::RunAgain &) {
            session.rollback();
            if (run == kContendedRuns) {
                throw;
            }
        } catch (...) {
            session.rollback();
            throw;
        }
    }
}

} // namespace weir::operations
