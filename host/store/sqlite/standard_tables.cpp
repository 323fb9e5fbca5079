// SPDX-License-Identifier: Apache-2.0
#include "standard_tables.hpp"

#include "store/ledger_generations.hpp"

#include <algorithm>

namespace weir::store::sqlite {

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

Value text(const char *value) { return std::string(value); }

} // namespace

TableForm event_ledger() {
    TableForm form;
    form.table = {
        std::string(kYoungLedger),
        {plain("event_id", Type::uuid), plain("received_at", Type::timestamp), with_default("outcome", Type::text, text("applied"))},
        {0},
        {},
        {}};
    form.without_rowid = true;
    return form;
}

namespace {

/// How many events the ledger was told of, of each outcome: counting them anew would read the whole ledger.
TableForm ledger_counts() {
    TableForm form;
    form.table.name = "event_ledger_counts";
    form.table.columns = {plain("outcome", Type::text), plain("events", Type::int64)};
    form.table.primary_key = {0};
    form.without_rowid = true;
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
    form.without_rowid = true;
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
                          plain("created_at", Type::timestamp),
                          plain("updated_at", Type::timestamp),
                          with_default("context", Type::json, text("{}"))};
    form.table.primary_key = {0};
    form.table.indexes = {{"dead_letter_queue_event_id", {1}, true}, {"dead_letter_queue_status", {11}, false}};
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
    form.without_rowid = true;
    return form;
}

TableForm lease() {
    TableForm form;
    form.table.name = "lease";
    form.table.columns = {plain("topic", Type::text), plain("partition", Type::int64), plain("epoch", Type::int64),
                          plain("holder", Type::text), plain("expires_at", Type::timestamp)};
    form.table.primary_key = {0, 1};
    form.without_rowid = true;
    return form;
}

TableForm event_attempts() {
    TableForm form;
    form.table.name = "event_attempts";
    form.table.columns = {plain("event_id", Type::uuid), plain("retries", Type::int64), plain("crashes", Type::int64),
                          plain("retry_at", Type::timestamp), plain("last_error", Type::text)};
    form.table.primary_key = {0};
    form.without_rowid = true;
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

TableForm own_table(const Table &table) {
    TableForm form;
    form.table = table;
    // Rows with documents in them are long; a tree of long rows is deep, and a look-up reads more of them than one through an index.
    form.without_rowid = std::none_of(table.columns.begin(), table.columns.end(),
                                      [](const Column &column) { return column.type == Type::json || column.type == Type::bytes; });
    return form;
}

} // namespace weir::store::sqlite
