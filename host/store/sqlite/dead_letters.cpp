// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"
#include "standard_rows.hpp"

#include "store/standard.hpp"

namespace weir::store::sqlite {

namespace {

constexpr const char *kColumns =
    "id, event_id, topic, partition, position, event_type, event_data, raw, error_type, error_message, retry_count, status, created_at, "
    "updated_at, context";

const std::vector<Storage> &storages() {
    static const std::vector<Storage> kStorages = {Storage::integer, Storage::text, Storage::text,  Storage::integer, Storage::text,
                                                   Storage::text,    Storage::text, Storage::bytes, Storage::text,    Storage::text,
                                                   Storage::integer, Storage::text, Storage::time,  Storage::time,    Storage::text};
    return kStorages;
}

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
    letter.raw = row.take_text(7);
    letter.error_type = row.take_text(8);
    letter.error_message = row.take_text(9);
    letter.retry_count = static_cast<std::uint32_t>(row.take_integer(10));
    letter.status = status_from(row.take_text(11));
    letter.created_at = row.take_time(12);
    letter.updated_at = row.take_time(13);
    letter.context = row.take_text(14);
    return letter;
}

} // namespace

void SqliteSession::add_dead_letters(std::span<const DeadLetter> letters) {
    if (letters.empty()) {
        return;
    }
    connection_.within_transaction([&] { insert_letters(connection_, letters); });
}

std::vector<DeadLetter> SqliteSession::dead_letters(const DeadLetterFilter &filter) {
    std::string sql = std::string("select ") + kColumns + " from " + connection_.qualified("dead_letter_queue") + " where id > ?";
    std::vector<Storage> parameters = {Storage::integer};
    std::vector<Value> values = {Value(filter.after_id)};
    const auto condition = [&](const char *column, std::string value) {
        sql += std::string(" and ") + column + " = ?";
        parameters.push_back(Storage::text);
        values.emplace_back(std::move(value));
    };
    if (filter.status) {
        condition("status", std::string(status_name(*filter.status)));
    }
    if (!filter.error_type.empty()) {
        condition("error_type", filter.error_type);
    }
    if (!filter.event_type.empty()) {
        condition("event_type", filter.event_type);
    }
    if (!filter.topic.empty()) {
        condition("topic", filter.topic);
    }
    sql += " order by id limit ?";
    parameters.push_back(Storage::integer);
    values.emplace_back(static_cast<std::int64_t>(filter.limit));
    std::vector<DeadLetter> letters;
    connection_.guard([&] {
        Query &query = connection_.query(sql, parameters, storages());
        for (std::size_t i = 0; i < values.size(); ++i) {
            query.value(i, values[i]);
        }
        query.each([&](Query &row) { letters.push_back(take_letter(row)); });
    });
    return letters;
}

std::optional<DeadLetter> SqliteSession::dead_letter(const event::Uuid &event_id) {
    std::optional<DeadLetter> letter;
    connection_.guard([&] {
        connection_
            .query(std::string("select ") + kColumns + " from " + connection_.qualified("dead_letter_queue") + " where event_id = ?",
                   std::vector{Storage::text}, storages())
            .text(0, event_id.text())
            .each([&](Query &row) { letter = take_letter(row); });
    });
    return letter;
}

std::optional<DeadLetter> SqliteSession::lock_dead_letter(std::int64_t id) {
    std::optional<DeadLetter> letter; // `begin` locked the file, so that nobody else can settle it
    connection_.guard([&] {
        connection_
            .query(std::string("select ") + kColumns + " from " + connection_.qualified("dead_letter_queue") +
                       " where id = ? and status = 'pending'",
                   std::vector{Storage::integer}, storages())
            .integer(0, id)
            .each([&](Query &row) { letter = take_letter(row); });
    });
    return letter;
}

void SqliteSession::settle_dead_letter(const DeadLetter &letter, DeadLetterStatus status, Outcome outcome) {
    connection_.within_transaction([&] {
        connection_.guard([&] {
            const event::Micros now = event::now();
            connection_
                .query("update " + connection_.qualified("dead_letter_queue") + " set status = ?, updated_at = ? where event_id = ?",
                       {Storage::text, Storage::time, Storage::text}, {})
                .text(0, std::string(status_name(status)))
                .time(1, now)
                .text(2, letter.event_id.text())
                .run();
            if (status != DeadLetterStatus::replayed) {
                return;
            }
            if (change_outcome(letter.event_id, outcome)) {
                count_outcome(Outcome::dead, -1);
                count_outcome(outcome, 1);
            } else if (in_ledger(std::span(&letter.event_id, 1)).empty()) {
                record(std::vector{LedgerEntry{letter.event_id, now, outcome}});
                if (letter.context.size() > kNoContext.size()) { // its row was pruned; other programs leave letters without one
                    count_outcome(Outcome::dead, -1);
                }
            }
        });
    });
}

void SqliteSession::note_replay_failure(const DeadLetter &letter, const event::Refusal &refusal) {
    connection_.within_transaction([&] {
        connection_.guard([&] {
            connection_
                .query("update " + connection_.qualified("dead_letter_queue") +
                           " set error_type = ?, error_message = ?, retry_count = retry_count + 1, updated_at = ? where event_id = ? and "
                           "status = 'pending'",
                       {Storage::text, Storage::text, Storage::time, Storage::text}, {})
                .text(0, refusal.type)
                .text(1, refusal.message)
                .time(2, event::now())
                .text(3, letter.event_id.text())
                .run();
        });
    });
}

} // namespace weir::store::sqlite
