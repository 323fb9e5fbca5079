// SPDX-License-Identifier: Apache-2.0
#include "letter_statements.hpp"
#include "session.hpp"
#include "storable.hpp"

#include "store/standard.hpp"

namespace weir::store::postgresql {

namespace {

constexpr const char *kColumns =
    "id, event_id, topic, partition, position, event_type, event_data, raw, error_type, error_message, retry_count, status, created_at, "
    "updated_at, context";
constexpr std::size_t kColumnCount = 15;

DeadLetter take_letter(Query &row) {
    DeadLetter letter;
    letter.id = row.take_integer(0);
    letter.event_id = event::Uuid::parse(row.take_text(1)).value_or(event::Uuid());
    letter.topic = row.take_text(2);
    letter.partition = static_cast<std::uint32_t>(row.take_integer(3));
    letter.position = row.take_text(4);
    letter.event_type = row.take_text(5);
    if (!row.is_null(6)) {
        letter.event_data = row.take_text(6);
    }
    letter.raw = row.take_bytes(7);
    letter.error_type = row.take_text(8);
    letter.error_message = row.take_text(9);
    letter.retry_count = static_cast<std::uint32_t>(row.take_integer(10));
    letter.status = status_from(row.take_text(11));
    letter.created_at = row.is_null(12) ? 0 : row.take_time(12);
    letter.updated_at = row.is_null(13) ? 0 : row.take_time(13);
    letter.context = row.take_text(14);
    return letter;
}

} // namespace

void PostgresqlSession::add_dead_letters(std::span<const DeadLetter> letters) {
    if (letters.empty()) {
        return;
    }
    within_transaction([&] {
        for (const DeadLetter &letter : letters) {
            defer(insert_letter(place_, layout_->letter_limits, letter));
        }
    });
}

std::vector<DeadLetter> PostgresqlSession::read_dead_letters(const std::string &condition, const std::vector<std::string> &values) {
    std::vector<DeadLetter> letters;
    within_transaction([&] {
        Connection &connection = live();
        connection.guard([&] {
            Query &query =
                connection.query(std::string("select ") + kColumns + " from " + qualified("dead_letter_queue") + " where " + condition,
                                 values.size(), kColumnCount);
            for (std::size_t i = 0; i < values.size(); ++i) {
                query.text(i, values[i]);
            }
            query.each([&](Query &row) { letters.push_back(take_letter(row)); });
        });
    });
    return letters;
}

std::vector<DeadLetter> PostgresqlSession::dead_letters(const DeadLetterFilter &filter) {
    std::string condition = "id > :a";
    std::vector<std::string> values = {std::to_string(filter.after_id)};
    if (filter.status) {
        condition += " and status = :b";
        values.emplace_back(status_name(*filter.status));
    }
    if (!filter.error_type.empty()) {
        condition += " and error_type = " + clipped(":c", "error_type", layout_->letter_limits);
        values.push_back(filter.error_type);
    }
    if (!filter.event_type.empty()) {
        condition += " and event_type = " + clipped(":f", "event_type", layout_->letter_limits);
        values.push_back(filter.event_type);
    }
    if (!filter.topic.empty()) {
        condition += " and topic = :d";
        values.push_back(filter.topic);
    }
    values.push_back(std::to_string(filter.limit));
    return read_dead_letters(condition + " order by id limit cast(:e as bigint)", values);
}

std::optional<DeadLetter> PostgresqlSession::dead_letter(const event::Uuid &event_id) {
    const auto letters = read_dead_letters("event_id = :a", {event_id.text()});
    return letters.empty() ? std::nullopt : std::optional(letters.front());
}

std::optional<DeadLetter> PostgresqlSession::lock_dead_letter(std::int64_t id) {
    const auto letters = read_dead_letters("id = :a and status = 'pending' for update", {std::to_string(id)});
    return letters.empty() ? std::nullopt : std::optional(letters.front());
}

void PostgresqlSession::settle_dead_letter(const DeadLetter &letter, DeadLetterStatus status, Outcome outcome) {
    within_transaction([&] {
        Connection &connection = live();
        const std::string id = letter.event_id.text();
        connection.guard([&] {
            connection
                .query("update " + qualified("dead_letter_queue") + " set status = :a, updated_at = clock_timestamp() where event_id = :b",
                       2, 0)
                .text(0, std::string(status_name(status)))
                .text(1, id)
                .run();
        });
        if (status != DeadLetterStatus::replayed) {
            return;
        }
        const auto count = [&](Outcome counted, std::int64_t difference) {
            Array named(Form::text);
            Array added(Form::int8);
            named.text(outcome_name(counted));
            added.integer(difference);
            Array requests(Form::int8);
            requests.integer(0);
            defer(count_outcomes(named.take(), added.take(), requests.take()));
        };
        if (change_outcome(letter.event_id, outcome)) {
            count(Outcome::dead, -1);
            count(outcome, 1);
            return;
        }
        if (!in_ledger(std::span(&letter.event_id, 1), false).empty()) {
            return;
        }
        record(std::vector{LedgerEntry{letter.event_id, event::now(), outcome}});
        if (letter.context.size() > kNoContext.size()) { // its row was pruned; other programs leave letters without one
            count(Outcome::dead, -1);
        }
    });
}

void PostgresqlSession::note_replay_failure(const DeadLetter &letter, const event::Refusal &refusal) {
    within_transaction([&] {
        Connection &connection = live();
        connection.guard(
            [&] {
                connection
                    .query("update " + qualified("dead_letter_queue") +
                               " set error_type = " + clipped(":a", "error_type", layout_->letter_limits) +
                               ", error_message = " + clipped(":b", "error_message", layout_->letter_limits) +
                               ", retry_count = retry_count + 1, updated_at = clock_timestamp() where event_id = :c and status = 'pending'",
                           3, 0)
                    .text(0, storable(refusal.type))
                    .text(1, storable(refusal.message))
                    .text(2, letter.event_id.text())
                    .run();
            },
            Meaning::standard);
    });
}

} // namespace weir::store::postgresql
