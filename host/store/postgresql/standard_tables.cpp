// SPDX-License-Identifier: Apache-2.0
#include "standard_tables.hpp"

#include "store/ledger_generations.hpp"

#include <algorithm>

namespace weir::store::postgresql {

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

/// One of these and nothing else.
StandardText one_of(std::vector<std::string> values) {
    StandardText text{std::move(values), 0};
    for (const std::string &value : text.values) {
        text.length = std::max(text.length, value.size());
    }
    return text;
}

StandardText at_most(std::size_t length) { return {{}, length}; }

constexpr std::size_t kTopic = 200;   // as long as the configuration lets it be
constexpr std::size_t kPosition = 41; // two numbers of 64 bits
constexpr std::size_t kReadable = 20; // what is cut shorter says nothing

TableForm event_ledger() {
    TableForm form;
    form.table = {std::string(kYoungLedger),
                  {plain("event_id", Type::uuid), time_of_rows("received_at"), with_default("outcome", Type::text, text("applied"))},
                  {0},
                  {},
                  {}};
    form.texts["outcome"] = one_of({"applied", "stale", "ignored", "dead"});
    return form;
}

/// How many events the ledger holds of each outcome: counting them anew would read the whole ledger. In shards, so that hosts that write
/// one schema at once don't wait for each other's row.
TableForm ledger_counts() {
    TableForm form;
    form.table.name = "event_ledger_counts";
    form.table.columns = {plain("outcome", Type::text), with_default("shard", Type::int64, std::int64_t{0}), plain("events", Type::int64)};
    form.table.primary_key = {0, 1};
    return form;
}

TableForm ledger_generations() {
    TableForm form;
    form.table.name = std::string(kLedgerGenerations);
    form.table.columns = {
        plain("generation", Type::int64),       plain("opened_at", Type::timestamp),           plain("events_before", Type::int64),
        nullable("sealed_at", Type::timestamp), nullable("received_through", Type::timestamp), nullable("events", Type::int64),
        nullable("filter", Type::bytes)};
    form.table.primary_key = {0};
    return form;
}

TableForm ledger_pruned() {
    TableForm form;
    form.table.name = std::string(kLedgerPruned);
    form.table.columns = {plain("topic", Type::text), plain("partition", Type::int64), plain("incarnation", Type::text),
                          plain("high", Type::int64), plain("low", Type::int64),       plain("appended_through", Type::timestamp)};
    form.table.primary_key = {0, 1, 2};
    return form;
}

/// What upkeep may drop: tables of other programs may be called like generations.
TableForm ledger_remains() {
    TableForm form;
    form.table.name = std::string(kLedgerRemains);
    form.table.columns = {plain("generation", Type::int64)};
    form.table.primary_key = {0};
    return form;
}

TableForm dead_letter_queue() {
    TableForm form;
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
    form.plain_json = {"context"}; // a replay needs it as it was, and jsonb would refuse some of it
    form.texts = {
        {"topic", at_most(kTopic)},         {"position", at_most(kPosition)},      {"event_type", at_most(kReadable)},
        {"error_type", at_most(kReadable)}, {"error_message", at_most(kReadable)}, {"status", one_of({"pending", "replayed", "dropped"})}};
    form.checks = ", check (status in ('pending', 'replayed', 'dropped'))";
    form.numbered = true;
    return form;
}

TableForm outbox() {
    TableForm form;
    form.table.name = "outbox";
    form.table.columns = {plain("id", Type::int64),     plain("event_id", Type::uuid),       plain("topic", Type::text),
                          plain("key", Type::text),     plain("event_type", Type::text),     plain("envelope", Type::json),
                          plain("headers", Type::json), plain("created_at", Type::timestamp)};
    form.table.primary_key = {0};
    form.numbered = true;
    form.plain_json = {"envelope", "headers"}; // published as they were written
    return form;
}

TableForm positions() {
    TableForm form;
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

TableForm lease() {
    TableForm form;
    form.table.name = "lease";
    form.table.columns = {plain("topic", Type::text), plain("partition", Type::int64), plain("epoch", Type::int64),
                          plain("holder", Type::text), plain("expires_at", Type::timestamp)};
    form.table.primary_key = {0, 1};
    return form;
}

TableForm event_attempts() {
    TableForm form;
    form.table.name = "event_attempts";
    form.table.columns = {plain("event_id", Type::uuid), plain("retries", Type::int64), plain("crashes", Type::int64),
                          plain("retry_at", Type::timestamp), plain("last_error", Type::text)};
    form.table.primary_key = {0};
    return form;
}

TableForm schema_migrations() {
    TableForm form;
    form.table.name = "schema_migrations";
    form.table.columns = {plain("id", Type::int64),         plain("step", Type::text),
                          plain("table_name", Type::text),  nullable("column_name", Type::text),
                          nullable("declared", Type::text), plain("applied_at", Type::timestamp)};
    form.table.primary_key = {0};
    form.numbered = true;
    return form;
}

} // namespace

std::vector<TableForm> standard_tables() {
    return {schema_migrations(), event_ledger(),   ledger_counts(),     ledger_generations(),
            ledger_pruned(),     ledger_remains(), dead_letter_queue(), outbox(),
            positions(),         lease(),          event_attempts()};
}

} // namespace weir::store::postgresql
