// SPDX-License-Identifier: Apache-2.0
#include "standard_tables.hpp"

#include "store/ledger_generations.hpp"

namespace weir::store {

namespace {

Column plain(std::string name, Type type) {
    Column column;
    column.name = std::move(name);
    column.type = type;
    return column;
}

/// With a default, so that it can be added to a table that another program made.
Column with_default(std::string name, Type type, Value value) {
    Column column = plain(std::move(name), type);
    column.default_kind = Default::literal;
    column.default_value = std::move(value);
    return column;
}

Column nullable(std::string name, Type type) {
    Column column = plain(std::move(name), type);
    column.nullable = true;
    return column;
}

/// When the migration ran, for rows of a table that another program made without it.
Column time_of_rows(std::string name) {
    Column column = plain(std::move(name), Type::timestamp);
    column.default_kind = Default::now;
    return column;
}

Value text(const char *value) { return std::string(value); }

} // namespace

StandardTable young_ledger() {
    StandardTable form;
    form.table = {std::string(kYoungLedger),
                  {plain("event_id", Type::uuid), time_of_rows("received_at"), with_default("outcome", Type::text, text("applied"))},
                  {0},
                  {},
                  {}};
    return form;
}

namespace {

/// How many events the ledger was told of, of each outcome: counting them anew would read the whole ledger. Requests to routes stand in the
/// ledger as well, so `events` has them too, and `requests` how many they are. Of what `undivided` counts, nobody knows.
StandardTable ledger_counts(bool sharded) {
    StandardTable form;
    form.table.name = "event_ledger_counts";
    form.table.columns = {plain("outcome", Type::text), plain("events", Type::int64),
                          with_default("requests", Type::int64, std::int64_t{0}), with_default("undivided", Type::int64, std::int64_t{0})};
    form.table.primary_key = {0};
    if (sharded) {
        form.table.columns.insert(form.table.columns.begin() + 1, with_default("shard", Type::int64, std::int64_t{0}));
        form.table.primary_key.push_back(1);
    }
    return form;
}

StandardTable ledger_generations() {
    StandardTable form;
    form.table.name = std::string(kLedgerGenerations);
    form.table.columns = {
        plain("generation", Type::int64),       plain("opened_at", Type::timestamp),           plain("events_before", Type::int64),
        nullable("sealed_at", Type::timestamp), nullable("received_through", Type::timestamp), nullable("events", Type::int64),
        nullable("filter", Type::bytes)};
    form.table.primary_key = {0};
    return form;
}

StandardTable ledger_pruned() {
    StandardTable form;
    form.table.name = std::string(kLedgerPruned);
    form.table.columns = {plain("topic", Type::text), plain("partition", Type::int64), plain("incarnation", Type::text),
                          plain("high", Type::int64), plain("low", Type::int64),       plain("appended_through", Type::timestamp)};
    form.table.primary_key = {0, 1, 2};
    return form;
}

/// What upkeep may drop: tables of other programs may be called like generations.
StandardTable ledger_remains() {
    StandardTable form;
    form.table.name = std::string(kLedgerRemains);
    form.table.columns = {plain("generation", Type::int64)};
    form.table.primary_key = {0};
    return form;
}

StandardTable dead_letter_queue() {
    StandardTable form;
    form.table.name = "dead_letter_queue";
    form.table.columns = {plain("id", Type::int64),
                          plain("event_id", Type::uuid),
                          with_default("topic", Type::text, text("")),
                          with_default("partition", Type::int64, std::int64_t{0}),
                          with_default("position", Type::text, text("")),
                          with_default("event_type", Type::text, text("")),
                          nullable("event_data", Type::json),
                          with_default("raw", Type::bytes, text("")),
                          with_default("error_type", Type::text, text("")),
                          with_default("error_message", Type::text, text("")),
                          with_default("retry_count", Type::int64, std::int64_t{0}),
                          with_default("status", Type::text, text("pending")),
                          time_of_rows("created_at"),
                          time_of_rows("updated_at"),
                          with_default("context", Type::json, text("{}"))};
    form.table.primary_key = {0};
    form.table.indexes = {{"dead_letter_queue_event_id", {1}, true}, {"dead_letter_queue_status", {11}, false}};
    form.as_written = {"context"}; // a replay needs it as it was
    form.checks = ", check (status in ('pending', 'replayed', 'dropped'))";
    form.numbered = true;
    return form;
}

StandardTable outbox() {
    StandardTable form;
    form.table.name = "outbox";
    form.table.columns = {plain("id", Type::int64),     plain("event_id", Type::uuid),       plain("topic", Type::text),
                          plain("key", Type::text),     plain("event_type", Type::text),     plain("envelope", Type::json),
                          plain("headers", Type::json), plain("created_at", Type::timestamp)};
    form.table.primary_key = {0};
    form.numbered = true;
    form.as_written = {"envelope", "headers"}; // published as they were written
    return form;
}

StandardTable positions() {
    StandardTable form;
    form.table.name = "positions";
    form.table.columns = {plain("topic", Type::text),
                          plain("partition", Type::int64),
                          plain("incarnation", Type::text),
                          plain("high", Type::int64),
                          plain("low", Type::int64),
                          plain("updated_at", Type::timestamp),
                          with_default("reached_high", Type::int64, std::int64_t{0}),
                          with_default("reached_low", Type::int64, std::int64_t{0})};
    form.table.primary_key = {0, 1};
    return form;
}

StandardTable lease() {
    StandardTable form;
    form.table.name = "lease";
    form.table.columns = {plain("topic", Type::text), plain("partition", Type::int64), plain("epoch", Type::int64),
                          plain("holder", Type::text), plain("expires_at", Type::timestamp)};
    form.table.primary_key = {0, 1};
    return form;
}

StandardTable event_attempts() {
    StandardTable form;
    form.table.name = "event_attempts";
    form.table.columns = {plain("event_id", Type::uuid), plain("retries", Type::int64), plain("crashes", Type::int64),
                          plain("retry_at", Type::timestamp), plain("last_error", Type::text)};
    form.table.primary_key = {0};
    return form;
}

StandardTable schema_migrations() {
    StandardTable form;
    form.table.name = "schema_migrations";
    form.table.columns = {plain("id", Type::int64),         plain("step", Type::text),
                          plain("table_name", Type::text),  nullable("column_name", Type::text),
                          nullable("declared", Type::text), plain("applied_at", Type::timestamp)};
    form.table.primary_key = {0};
    form.numbered = true;
    return form;
}

} // namespace

std::vector<StandardTable> standard_tables(bool sharded_counts) {
    return {schema_migrations(),
            young_ledger(),
            ledger_counts(sharded_counts),
            ledger_generations(),
            ledger_pruned(),
            ledger_remains(),
            dead_letter_queue(),
            outbox(),
            positions(),
            lease(),
            event_attempts()};
}

} // namespace weir::store
