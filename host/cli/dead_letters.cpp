// SPDX-License-Identifier: Apache-2.0
#include "dead_letters.hpp"
#include "cli/command.hpp"

#include <charconv>

namespace weir::cli {

namespace {

constexpr std::size_t kPage = 100; // each with its message, of some MiB at most
constexpr int kContendedRuns = 10;

std::optional<std::int64_t> number(const std::string &text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value > 0 ? std::optional(value) : std::nullopt;
}

} // namespace

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

std::optional<store::DeadLetter> find_letter(store::Session &session, const std::string &id) {
    if (const auto event_id = event::Uuid::parse(id)) {
        return session.dead_letter(*event_id);
    }
    const auto wanted = number(id);
    if (!wanted) {
        throw Failure(Exit::usage, "'" + id + "' is no id: neither a number, as 'weir deadletter list' shows it, nor an event's UUID");
    }
    store::DeadLetterFilter filter;
    filter.after_id = *wanted - 1;
    filter.limit = 1;
    auto found = session.dead_letters(filter);
    return found.empty() || found.front().id != *wanted ? std::nullopt : std::optional(std::move(found.front()));
}

void each_letter(store::Session &session, const LetterChoice &choice, const std::function<bool(store::DeadLetter)> &take) {
    if (!choice.ids.empty()) {
        std::vector<store::DeadLetter> letters; // all must be there before anything is done
        for (const std::string &id : choice.ids) {
            auto letter = find_letter(session, id);
            if (!letter) {
                throw Failure(Exit::failed, "there is no dead letter '" + id + "'; nothing was done");
            }
            letters.push_back(std::move(*letter));
        }
        for (store::DeadLetter &letter : letters) {
            if (!take(std::move(letter))) {
                return;
            }
        }
        return;
    }
    store::DeadLetterFilter filter;
    filter.status = choice.status;
    filter.error_type = choice.error_type;
    filter.topic = choice.topic;
    filter.limit = kPage;
    for (;;) {
        auto page = session.dead_letters(filter);
        if (page.empty()) {
            return;
        }
        filter.after_id = page.back().id;
        for (store::DeadLetter &letter : page) {
            if ((choice.event_type.empty() || letter.event_type == choice.event_type) && !take(std::move(letter))) {
                return;
            }
        }
    }
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

} // namespace weir::cli
