// SPDX-License-Identifier: Apache-2.0
// What a handler states and reads: changes, rows, emitted events.
#include "engine/abi_values.hpp"
#include "engine/envelope.hpp"
#include "engine/handler_call.hpp"
#include "event/decoder.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace weir::engine {

namespace {

constexpr std::size_t kPublishedLimit = 100;
constexpr std::uint32_t kScanLimit = 1000;
constexpr std::size_t kEmittedPayloadLimit = 1u << 20; // far below what any broker refuses, so that nothing can get stuck in the outbox

bool is_topic_name(std::string_view name) {
    return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    });
}

} // namespace

weir_answer HandlerCall::take_change(const weir_change_v1 &stated) {
    const auto &tables = description_.schema.tables;
    if (stated.size < offsetof(weir_change_v1, guard) || stated.table >= tables.size()) {
        refuse("undeclared_table", "the handler changed table " + std::to_string(stated.table) + ", but the descriptor declares " +
                                       std::to_string(tables.size()) + " tables");
        return WEIR_REFUSED;
    }
    const store::Table &table = tables[stated.table];
    store::Change change;
    change.table = stated.table;
    change.kind = static_cast<store::ChangeKind>(stated.kind);
    if (stated.kind < WEIR_CHANGE_UPSERT || stated.kind > WEIR_CHANGE_ERASE) {
        refuse("undefined_change", "the handler stated a change of kind " + std::to_string(stated.kind) + " to table " + table.name);
        return WEIR_REFUSED;
    }
    change.key.resize(table.primary_key.size());
    change.cells.reserve(stated.cell_count);
    std::vector<bool> key_stated(table.primary_key.size(), false);
    for (std::uint32_t i = 0; i < stated.cell_count; ++i) {
        const weir_cell_v1 cell = read_cell(stated.cells, stated.cell_stride, i);
        if (cell.column >= table.columns.size()) {
            refuse("undeclared_column", "the handler wrote column " + std::to_string(cell.column) + " of table " + table.name +
                                            ", which declares " + std::to_string(table.columns.size()) + " columns");
            return WEIR_REFUSED;
        }
        if (cell.operation < WEIR_CELL_SET || cell.operation > WEIR_CELL_MIN) {
            refuse("undefined_operation", "the handler stated operation " + std::to_string(cell.operation) + " for " + table.name + "." +
                                              table.columns[cell.column].name);
            return WEIR_REFUSED;
        }
        store::Value value = value_of(table.columns[cell.column], cell);
        const auto in_key = std::find(table.primary_key.begin(), table.primary_key.end(), cell.column);
        if (in_key == table.primary_key.end()) {
            change.cells.push_back({cell.column, static_cast<store::CellOperation>(cell.operation), std::move(value)});
            continue;
        }
        const auto at = static_cast<std::size_t>(in_key - table.primary_key.begin());
        if (cell.operation != WEIR_CELL_SET || key_stated[at]) {
            refuse("invalid_key", "the handler must set " + table.name + "." + table.columns[cell.column].name +
                                      " exactly once: it is part of the primary key");
            return WEIR_REFUSED;
        }
        key_stated[at] = true;
        change.key[at] = std::move(value);
    }
    if (stated.size >= offsetof(weir_change_v1, guard) + sizeof stated.guard && stated.guard) {
        const weir_cell_v1 guard = *stated.guard;
        if (guard.column >= table.columns.size()) {
            refuse("undeclared_column", "the guard names column " + std::to_string(guard.column) + " of table " + table.name);
            return WEIR_REFUSED;
        }
        change.guard = store::Guard{guard.column, value_of(table.columns[guard.column], guard)};
    }
    if (auto reason = store::check_change(description_.schema, change)) {
        refuse_data("invalid_value", std::move(*reason));
        return WEIR_REFUSED;
    }
    result_.changes.push_back(std::move(change));
    return WEIR_FOUND;
}

// Whether the handler has changed that row itself.
bool HandlerCall::states(std::uint32_t table, const store::Key &key) const {
    const store::Table &declared = description_.schema.tables[table];
    return std::any_of(result_.changes.begin(), result_.changes.end(), [&](const store::Change &change) {
        return change.table == table && store::comparable_key(declared, change.key) == store::comparable_key(declared, key);
    });
}

std::optional<std::string> HandlerCall::apply_own(std::uint32_t table, const store::Key &key, std::optional<store::Row> &row) const {
    const store::Table &declared = description_.schema.tables[table];
    const store::Origin origin{event_->message->appended_at, event_->id};
    const store::Key wanted = store::comparable_key(declared, key);
    bool stale = false;
    for (const store::Change &change : result_.changes) {
        if (change.table == table && store::comparable_key(declared, change.key) == wanted) {
            if (auto reason = store::apply_change(declared, change, origin, row, stale)) {
                return reason;
            }
        }
    }
    return std::nullopt;
}

weir_answer HandlerCall::read_row(std::uint32_t table, const weir_cell_v1 *cells, std::uint32_t count, std::uint32_t stride,
                                  const weir_row_v1 **out) {
    const auto &tables = description_.schema.tables;
    if (table >= tables.size() || count != tables[table].primary_key.size()) {
        refuse("invalid_read", table >= tables.size()
                                   ? "the handler read table " + std::to_string(table) + ", which the descriptor does not declare"
                                   : "the handler read " + tables[table].name + " by " + std::to_string(count) +
                                         " key cells; its primary key has " + std::to_string(tables[table].primary_key.size()));
        return WEIR_REFUSED;
    }
    const store::Table &declared = tables[table];
    store::Key key;
    key.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        const store::Column &column = declared.columns[declared.primary_key[i]];
        store::Value value = value_of(column, read_cell(cells, stride, i));
        if (auto reason = store::canonicalise(column, value)) {
            refuse_data("invalid_value", declared.name + "." + column.name + ": " + *reason);
            return WEIR_REFUSED;
        }
        key.push_back(std::move(value));
    }
    std::optional<store::Row> read = (*read_)(table, key);
    const store::Row *row = nullptr;
    if (states(table, key)) {
        // Its own changes so far are part of what it sees; they are applied for this one reader alone.
        std::optional<store::Row> changed = read;
        if (auto reason = apply_own(table, key, changed)) {
            refuse_data("invalid_change", std::move(*reason));
            return WEIR_REFUSED;
        }
        if (changed) {
            row = &row_values_.emplace_back(std::move(*changed));
        }
        result_.reads.push_back({table, std::move(key), std::move(read)});
    } else {
        // Kept there, it isn't copied for the handler: a row's cells stay where they are when the row is moved.
        const auto &kept = result_.reads.emplace_back(HandlerResult::ReadRow{table, std::move(key), std::move(read)});
        row = kept.row ? &*kept.row : nullptr;
    }
    if (!row) {
        return WEIR_ABSENT;
    }
    std::vector<weir_cell_v1> &row_cells = row_cells_.emplace_back();
    row_cells.reserve(row->size());
    for (std::uint32_t i = 0; i < row->size(); ++i) {
        row_cells.push_back(cell_of(i, (*row)[i]));
    }
    rows_.push_back(
        {sizeof(weir_row_v1), static_cast<std::uint32_t>(row_cells_.back().size()), row_cells_.back().data(), sizeof(weir_cell_v1), 0});
    *out = &rows_.back();
    return WEIR_FOUND;
}

std::optional<store::OutboxEntry> HandlerCall::make_entry(const weir_emit_v1 &emitted, const std::string &id_name) {
    const std::string type(text_of(emitted.event_type));
    const std::string topic(text_of(emitted.topic));
    std::string reason;
    if (topic.empty() || !event::is_event_type(type)) {
        refuse("invalid_emit", topic.empty()
                                   ? "the handler emitted an event without a topic"
                                   : "the handler emitted an event of type '" + bounded(type) + "', which is not <name>.v<number>");
        return std::nullopt;
    }
    if (!is_topic_name(topic) || emitted.payload.size > kEmittedPayloadLimit) {
        refuse("invalid_emit", is_topic_name(topic) ? "the payload of the emitted " + type + " is larger than 1 MiB"
                                                    : "the handler emitted to a topic whose name is not 1 to 200 of A-Z a-z 0-9 . _ -");
        return std::nullopt;
    }
    const auto payload = event::parse_json(text_of(emitted.payload), 64, reason);
    if (!payload) {
        refuse("invalid_emit", "the payload of the emitted " + type + " is not JSON: " + reason);
        return std::nullopt;
    }
    store::OutboxEntry entry;
    // With the domain in it: two domains may emit for one event.
    entry.event_id = event::Uuid::v5(event_->id, domain_ + id_name);
    entry.topic = topic;
    entry.key = std::string(text_of(emitted.key));
    entry.event_type = type;
    entry.envelope = make_envelope(entry.event_id, type, *event_, payload->dump("").value_or("null"));
    if (contracts_) {
        const auto envelope = event::parse_json(entry.envelope, 66, reason);
        const auto violation = envelope ? contracts_->check(type, *envelope) : std::optional(event::Refusal{"", reason});
        if (violation) {
            refuse("invalid_emit", "the emitted " + type + " violates its contract: " + violation->message);
            return std::nullopt;
        }
    }
    entry.created_at = event_->message->appended_at;
    for (std::uint32_t i = 0; i < emitted.header_count; ++i) {
        weir_header_v1 header{};
        std::memcpy(&header, reinterpret_cast<const char *>(emitted.headers) + static_cast<std::size_t>(emitted.header_stride) * i,
                    std::min<std::size_t>(emitted.header_stride, sizeof header));
        entry.headers.emplace_back(std::string(text_of(header.name)), std::string(text_of(header.value)));
    }
    return entry;
}

weir_answer HandlerCall::take_emit(const weir_emit_v1 &emitted) {
    auto entry = make_entry(emitted, "/emit/" + std::to_string(result_.emitted.size()));
    if (!entry) {
        return WEIR_REFUSED;
    }
    result_.emitted.push_back(std::move(*entry));
    return WEIR_FOUND;
}

weir_answer HandlerCall::publish(const weir_emit_v1 &emitted) {
    if (result_.published.size() >= kPublishedLimit) {
        refuse("invalid_publish", "the route published more than " + std::to_string(kPublishedLimit) + " events");
        return WEIR_REFUSED;
    }
    auto entry = make_entry(emitted, "/publish/" + std::to_string(result_.published.size()));
    if (!entry) {
        return WEIR_REFUSED;
    }
    result_.published.push_back(std::move(*entry));
    return WEIR_FOUND;
}

weir_answer HandlerCall::walk(const weir_scan_v1 &stated, weir_row_sink sink, void *user) {
    const auto &tables = description_.schema.tables;
    const bool along_index = stated.index != WEIR_SCAN_PRIMARY_KEY;
    if (stated.size < sizeof stated || stated.table >= tables.size() ||
        (along_index && stated.index >= tables[stated.table].indexes.size()) || stated.limit < 1 || stated.limit > kScanLimit) {
        refuse("invalid_scan",
               "the route walked a table or an index that the descriptor does not declare, or asked for no rows or more than " +
                   std::to_string(kScanLimit));
        return WEIR_REFUSED;
    }
    const store::Table &table = tables[stated.table];
    store::Session::Scan scan;
    scan.table = stated.table;
    scan.limit = stated.limit;
    std::vector<std::uint32_t> columns = table.primary_key;
    if (along_index) {
        scan.index = stated.index;
        columns = table.indexes[stated.index].columns;
    }
    const std::size_t bounds = columns.size();
    if (along_index) {
        columns.insert(columns.end(), table.primary_key.begin(), table.primary_key.end());
    }
    const auto take = [&](const weir_cell_v1 *cells, std::uint32_t count, std::size_t most, store::Key &out) {
        if (count > most || (count > 0 && !cells)) {
            refuse("invalid_scan", "the route walked " + table.name + " with more values in a bound than the index has columns");
            return false;
        }
        for (std::uint32_t i = 0; i < count; ++i) {
            const store::Column &column = table.columns[columns[i]];
            store::Value value = value_of(column, read_cell(cells, stated.cell_stride, i));
            if (auto reason = store::canonicalise(column, value)) {
                refuse_data("invalid_value", table.name + "." + column.name + ": " + *reason);
                return false;
            }
            out.push_back(std::move(value));
        }
        return true;
    };
    if (!take(stated.from, stated.from_count, bounds, scan.from) || !take(stated.to, stated.to_count, bounds, scan.to) ||
        !take(stated.after, stated.after_count, columns.size(), scan.after)) {
        return WEIR_REFUSED;
    }
    for (const store::Row &row : (*scan_)(scan)) {
        std::vector<weir_cell_v1> cells;
        for (std::uint32_t i = 0; i < row.size(); ++i) {
            cells.push_back(cell_of(i, row[i]));
        }
        const weir_row_v1 view{sizeof(weir_row_v1), static_cast<std::uint32_t>(cells.size()), cells.data(), sizeof(weir_cell_v1), 0};
        if (sink(user, &view) == 0) {
            break;
        }
    }
    return WEIR_FOUND;
}

} // namespace weir::engine
