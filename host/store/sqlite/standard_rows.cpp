// SPDX-License-Identifier: Apache-2.0
#include "standard_rows.hpp"

#include "store/standard.hpp"

namespace weir::store::sqlite {

namespace {

/// Runs `work`, which writes into a standard table. Its data is Weir's own: who refuses it has changed the table.
template <class Work> void write_standard(Connection &connection, const char *table, KeyConflict conflict, Work work) {
    try {
        connection.guard(work, conflict);
    } catch (const DataRefused &failure) {
        throw SchemaWrong(connection.place().name() + " refuses what Weir writes into " + table +
                          ": drop the table's own constraint or trigger. " + failure.what());
    }
}

} // namespace

void insert_letters(Connection &connection, std::span<const DeadLetter> letters) {
    static constexpr Storage kStorages[] = {Storage::text, Storage::text,  Storage::integer, Storage::text, Storage::text,
                                            Storage::text, Storage::bytes, Storage::text,    Storage::text, Storage::integer,
                                            Storage::text, Storage::time,  Storage::time,    Storage::text};
    write_standard(connection, "dead_letter_queue", KeyConflict::data_refused, [&] {
        Bulk &bulk = connection.bulk("insert into " + connection.qualified("dead_letter_queue") +
                                         " (event_id, topic, partition, position, event_type, event_data, raw, error_type, "
                                         "error_message, retry_count, status, created_at, "
                                         "updated_at, context) values (?, ?, ?, ?, ?, ?, cast(? as blob), ?, ?, ?, ?, ?, ?, ?) on "
                                         "conflict (event_id) do nothing",
                                     kStorages);
        for (const DeadLetter &letter : letters) {
            bulk.text(0, letter.event_id.text());
            bulk.text(1, letter.topic);
            bulk.integer(2, letter.partition);
            bulk.text(3, letter.position);
            bulk.text(4, letter.event_type);
            bulk.value(5, letter.event_data ? Value(*letter.event_data) : Value());
            bulk.text(6, letter.raw);
            bulk.text(7, letter.error_type);
            bulk.text(8, letter.error_message);
            bulk.integer(9, letter.retry_count);
            bulk.text(10, std::string(status_name(letter.status)));
            bulk.time(11, letter.created_at);
            bulk.time(12, letter.updated_at);
            bulk.text(13, letter.context.empty() ? std::string(kNoContext) : letter.context);
        }
        bulk.run();
    });
}

void insert_entries(Connection &connection, std::span<const LedgerEntry> entries) {
    write_standard(connection, "event_ledger", KeyConflict::run_again, [&] {
        Bulk &bulk =
            connection.bulk("insert into " + connection.qualified("event_ledger") + " (event_id, received_at, outcome) values (?, ?, ?)",
                            {Storage::text, Storage::time, Storage::text});
        for (const LedgerEntry &entry : entries) {
            bulk.text(0, entry.event_id.text());
            bulk.time(1, entry.received_at);
            bulk.text(2, std::string(outcome_name(entry.outcome)));
        }
        bulk.run();
    });
}

} // namespace weir::store::sqlite
