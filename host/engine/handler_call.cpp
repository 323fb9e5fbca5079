// SPDX-License-Identifier: Apache-2.0
#include "engine/handler_call.hpp"

#include "engine/envelope.hpp"
#include "event/decoder.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace weir::engine {

namespace {

constexpr std::string_view kPayload = "/payload";
constexpr std::size_t kErrorTextLimit = 1024; // of a reason that a plugin gives

constexpr std::size_t kEmittedPayloadLimit = 1u << 20; // far below what any broker refuses, so that nothing can get stuck in the outbox

bool is_topic_name(std::string_view name) {
    return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    });
}

weir_view view_of(std::string_view text) { return {text.data(), text.size()}; }
std::string_view text_of(weir_view view) { return view.data ? std::string_view(view.data, view.size) : std::string_view(); }

// A pointer into the payload as one into the envelope, in a buffer of its own for the length of one call.
class PayloadPointer {
public:
    explicit PayloadPointer(weir_view pointer) {
        text_.reserve(kPayload.size() + pointer.size);
        text_.append(kPayload).append(text_of(pointer));
    }
    operator std::string_view() const { return text_; } // NOLINT: it stands for its text

private:
    std::string text_;
};

// The part of an array element that both sides know, over an element of this host's size.
weir_cell_v1 read_cell(const weir_cell_v1 *cells, std::uint32_t stride, std::uint32_t index) {
    weir_cell_v1 cell{};
    const std::size_t known = std::min<std::size_t>(stride, sizeof cell);
    std::memcpy(&cell, reinterpret_cast<const char *>(cells) + static_cast<std::size_t>(stride) * index, known);
    return cell;
}

// A cell's value by its column's type; the store's own check brings it to canonical form.
store::Value value_of(const store::Column &column, const weir_cell_v1 &cell) {
    if (cell.flags & WEIR_CELL_IS_NULL) {
        return std::monostate{};
    }
    switch (column.type) {
    case store::Type::int64:
    case store::Type::decimal:
    case store::Type::boolean:
    case store::Type::timestamp:
        return cell.integer;
    case store::Type::float64:
        return cell.number;
    default:
        return std::string(text_of(cell.text));
    }
}

weir_cell_v1 cell_of(std::uint32_t column, const store::Value &value) {
    weir_cell_v1 cell{};
    cell.column = column;
    if (const auto *integer = std::get_if<std::int64_t>(&value)) {
        cell.integer = *integer;
    } else if (const auto *number = std::get_if<double>(&value)) {
        cell.number = *number;
    } else if (const auto *text = std::get_if<std::string>(&value)) {
        cell.text = view_of(*text);
    } else {
        cell.flags = WEIR_CELL_IS_NULL;
    }
    return cell;
}

std::string bounded(std::string_view text) { return std::string(text.substr(0, kErrorTextLimit)); }

} // namespace

// Nothing here lets an exception out: C frames of a plugin may stand between these functions and the engine.
struct HandlerCall::Callbacks {
    static HandlerCall &self(const weir_event_v1 *event) { return *static_cast<HandlerCall *>(const_cast<void *>(event->host)); }
    static HandlerCall &self(const weir_call_v1 *call) { return *static_cast<HandlerCall *>(call->host); }

    template <typename Body> static weir_answer guarded(HandlerCall &me, Body body) noexcept {
        try {
            return body();
        } catch (...) {
            me.failure_ = std::current_exception();
            return WEIR_REFUSED;
        }
    }

    static std::uint32_t kind(const weir_event_v1 *event, weir_view pointer) noexcept {
        try {
            return static_cast<std::uint32_t>(self(event).event_->envelope->kind(PayloadPointer(pointer)));
        } catch (...) {
            self(event).failure_ = std::current_exception();
            return WEIR_JSON_ABSENT;
        }
    }

    // What to answer where the value wanted isn't there.
    static weir_answer why_not(const event::Json &json, std::string_view pointer) {
        switch (json.kind(pointer)) {
        case event::JsonKind::absent:
            return WEIR_ABSENT;
        case event::JsonKind::null:
            return WEIR_NULL;
        default:
            return WEIR_WRONG_TYPE;
        }
    }

    static weir_answer text(const weir_event_v1 *event, weir_view pointer, weir_view *out) noexcept {
        return guarded(self(event), [&]() -> weir_answer {
            const event::Json &json = *self(event).event_->envelope;
            const PayloadPointer at(pointer);
            if (const auto value = json.text(at)) {
                *out = view_of(*value);
                return WEIR_FOUND;
            }
            return why_not(json, at);
        });
    }

    static weir_answer integer(const weir_event_v1 *event, weir_view pointer, std::int64_t *out) noexcept {
        return guarded(self(event), [&]() -> weir_answer {
            const event::Json &json = *self(event).event_->envelope;
            const PayloadPointer at(pointer);
            if (const auto value = json.integer(at)) {
                *out = *value;
                return WEIR_FOUND;
            }
            return why_not(json, at);
        });
    }

    static weir_answer number(const weir_event_v1 *event, weir_view pointer, double *out) noexcept {
        return guarded(self(event), [&]() -> weir_answer {
            const event::Json &json = *self(event).event_->envelope;
            const PayloadPointer at(pointer);
            if (const auto value = json.number(at)) {
                *out = *value;
                return WEIR_FOUND;
            }
            return why_not(json, at);
        });
    }

    static weir_answer boolean(const weir_event_v1 *event, weir_view pointer, std::int32_t *out) noexcept {
        return guarded(self(event), [&]() -> weir_answer {
            const event::Json &json = *self(event).event_->envelope;
            const PayloadPointer at(pointer);
            if (const auto value = json.boolean(at)) {
                *out = *value ? 1 : 0;
                return WEIR_FOUND;
            }
            return why_not(json, at);
        });
    }

    static weir_answer timestamp(const weir_event_v1 *event, weir_view pointer, std::int64_t *out) noexcept {
        return guarded(self(event), [&]() -> weir_answer {
            const event::Json &json = *self(event).event_->envelope;
            const PayloadPointer at(pointer);
            const auto value = json.text(at);
            if (!value) {
                return why_not(json, at);
            }
            const auto time = event::parse_time(*value);
            if (!time) {
                return WEIR_WRONG_TYPE;
            }
            *out = *time;
            return WEIR_FOUND;
        });
    }

    static weir_answer json(const weir_event_v1 *event, weir_view pointer, weir_view *out) noexcept {
        HandlerCall &me = self(event);
        return guarded(me, [&]() -> weir_answer {
            auto value = me.event_->envelope->dump(PayloadPointer(pointer));
            if (!value) {
                return WEIR_ABSENT;
            }
            *out = me.keep(std::move(*value));
            return WEIR_FOUND;
        });
    }

    static weir_answer length(const weir_event_v1 *event, weir_view pointer, std::uint64_t *out) noexcept {
        return guarded(self(event), [&]() -> weir_answer {
            const event::Json &json = *self(event).event_->envelope;
            const PayloadPointer at(pointer);
            if (const auto value = json.length(at)) {
                *out = *value;
                return WEIR_FOUND;
            }
            return why_not(json, at);
        });
    }

    static weir_answer header(const weir_event_v1 *event, weir_view name, weir_view *out) noexcept {
        return guarded(self(event), [&]() -> weir_answer {
            for (const auto &[header_name, value] : self(event).event_->message->headers) {
                if (header_name == text_of(name)) {
                    *out = view_of(value);
                    return WEIR_FOUND;
                }
            }
            return WEIR_ABSENT;
        });
    }

    static weir_answer change(const weir_call_v1 *call, const weir_change_v1 *stated) noexcept {
        HandlerCall &me = self(call);
        return guarded(me, [&] { return me.take_change(*stated); });
    }

    static weir_answer read(const weir_call_v1 *call, std::uint32_t table, const weir_cell_v1 *key, std::uint32_t key_count,
                            std::uint32_t key_stride, const weir_row_v1 **out) noexcept {
        HandlerCall &me = self(call);
        return guarded(me, [&] { return me.read_row(table, key, key_count, key_stride, out); });
    }

    static weir_answer scan(const weir_call_v1 *call, const weir_scan_v1 *, weir_row_sink, void *) noexcept {
        HandlerCall &me = self(call);
        return guarded(me, [&] {
            me.refuse("scan_in_handler", "an event handler may not scan; it reads rows by their primary key");
            return WEIR_REFUSED;
        });
    }

    static weir_answer emit(const weir_call_v1 *call, const weir_emit_v1 *emitted) noexcept {
        HandlerCall &me = self(call);
        return guarded(me, [&] { return me.take_emit(*emitted); });
    }

    static weir_answer new_id(const weir_call_v1 *call, std::uint32_t n, weir_view *out) noexcept {
        HandlerCall &me = self(call);
        return guarded(me, [&] {
            *out = me.keep(event::Uuid::v5(me.event_->id, std::to_string(n)).text());
            return WEIR_FOUND;
        });
    }

    static void error(const weir_call_v1 *call, weir_view code, weir_view message) noexcept {
        HandlerCall &me = self(call);
        guarded(me, [&] {
            if (!me.refused_) { // the host's own reason is the nearer one
                me.result_.error = {bounded(text_of(code)), bounded(text_of(message))};
            }
            return WEIR_FOUND;
        });
    }

    static void log(const weir_call_v1 *call, std::uint32_t level, weir_view message) noexcept {
        const HandlerCall &me = self(call);
        const log::Level least = level >= WEIR_LOG_ERROR  ? log::Level::error
                                 : level == WEIR_LOG_WARN ? log::Level::warn
                                 : level == WEIR_LOG_INFO ? log::Level::info
                                                          : log::Level::debug;
        log::write(least, "plugin.message", text_of(message).substr(0, kErrorTextLimit),
                   {{"domain", me.domain_}, {"event_id", me.event_id_text_}, {"correlation_id", me.event_->correlation_id}});
    }
};

HandlerCall::HandlerCall(const plugin::Description &description, std::string domain)
    : description_(description), domain_(std::move(domain)) {
    event_view_.size = sizeof event_view_;
    event_view_.host = this;
    event_view_.kind = Callbacks::kind;
    event_view_.text = Callbacks::text;
    event_view_.integer = Callbacks::integer;
    event_view_.number = Callbacks::number;
    event_view_.boolean = Callbacks::boolean;
    event_view_.timestamp = Callbacks::timestamp;
    event_view_.json = Callbacks::json;
    event_view_.length = Callbacks::length;
    event_view_.header = Callbacks::header;
    call_view_.size = sizeof call_view_;
    call_view_.host = this;
    call_view_.change = Callbacks::change;
    call_view_.read = Callbacks::read;
    call_view_.scan = Callbacks::scan;
    call_view_.emit = Callbacks::emit;
    call_view_.new_id = Callbacks::new_id;
    call_view_.error = Callbacks::error;
    call_view_.log = Callbacks::log;
}

HandlerResult HandlerCall::run(weir_handler_v1 handler, void *instance, const event::Event &event, std::uint32_t attempt,
                               const ReadRowFunction &read) {
    event_ = &event;
    read_ = &read;
    result_ = HandlerResult{};
    refused_ = false;
    failure_ = nullptr;
    texts_.clear();
    row_cells_.clear();
    rows_.clear();
    row_values_.clear();
    event_id_text_ = event.id.text();

    event_view_.schema_version = static_cast<std::uint32_t>(event.schema_version);
    event_view_.event_id = view_of(event_id_text_);
    event_view_.event_type = view_of(event.type);
    event_view_.tenant_id = view_of(event.tenant_id);
    event_view_.correlation_id = view_of(event.correlation_id);
    event_view_.topic = view_of(event.message->topic);
    event_view_.key = view_of(event.key);
    event_view_.occurred_at_us = event.occurred_at;
    event_view_.appended_at_us = event.message->appended_at;
    event_view_.attempt = attempt;
    event_view_.message = view_of(event.message->body);
    call_view_.now_us = event.message->appended_at;

    weir_status status = WEIR_REJECT;
    try {
        status = handler(instance, &event_view_, &call_view_);
    } catch (...) {
        // Only a plugin that was not built with the SDK's wrapper lets one out; the ABI forbids it.
        refuse("exception", "the handler let an exception out; a handler must be noexcept");
    }
    if (failure_) {
        std::rethrow_exception(failure_);
    }
    if (refused_) {
        status = WEIR_REJECT;
    } else if (status < WEIR_OK || status > WEIR_FATAL) {
        result_.error = {"undefined_status", "the handler returned " + std::to_string(status) + ", which is no status of ABI 1"};
        status = WEIR_REJECT;
    }
    if (status != WEIR_OK) {
        result_.changes.clear();
        result_.emitted.clear();
        if (status != WEIR_SKIP && result_.error.type.empty()) {
            result_.error.type = status == WEIR_RETRY ? "retry" : status == WEIR_FATAL ? "fatal" : "rejected";
        }
        if (status != WEIR_SKIP && result_.error.message.empty()) {
            result_.error.message = "the handler gave no reason";
        }
    }
    result_.status = status;
    return std::move(result_);
}

weir_view HandlerCall::keep(std::string text) {
    texts_.push_back(std::move(text));
    return view_of(texts_.back());
}

void HandlerCall::refuse(std::string type, std::string message) {
    if (!refused_) { // the first one is the cause of the others
        refused_ = true;
        result_.error = {std::move(type), std::move(message)};
    }
}

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
        refuse("invalid_value", std::move(*reason));
        return WEIR_REFUSED;
    }
    result_.changes.push_back(std::move(change));
    return WEIR_FOUND;
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
    for (std::uint32_t i = 0; i < count; ++i) {
        const store::Column &column = declared.columns[declared.primary_key[i]];
        store::Value value = value_of(column, read_cell(cells, stride, i));
        if (auto reason = store::canonicalise(column, value)) {
            refuse("invalid_value", declared.name + "." + column.name + ": " + *reason);
            return WEIR_REFUSED;
        }
        key.push_back(std::move(value));
    }
    std::optional<store::Row> row = (*read_)(table, key);
    // Its own changes so far are part of what it sees; they are applied for this one reader alone.
    bool stale = false;
    const store::Origin origin{event_->message->appended_at, event_->id};
    const store::Key wanted = store::comparable_key(declared, key);
    bool own = false;
    for (const store::Change &change : result_.changes) {
        if (change.table == table && store::comparable_key(declared, change.key) == wanted) {
            if (!own) {
                result_.reads.push_back({table, key, row});
                own = true;
            }
            if (auto reason = store::apply_change(declared, change, origin, row, stale)) {
                refuse("invalid_change", std::move(*reason));
                return WEIR_REFUSED;
            }
        }
    }
    if (!own) {
        result_.reads.push_back({table, key, row});
    }
    if (!row) {
        return WEIR_ABSENT;
    }
    row_values_.push_back(std::move(*row));
    std::vector<weir_cell_v1> row_cells;
    for (std::uint32_t i = 0; i < row_values_.back().size(); ++i) {
        row_cells.push_back(cell_of(i, row_values_.back()[i]));
    }
    row_cells_.push_back(std::move(row_cells));
    rows_.push_back(
        {sizeof(weir_row_v1), static_cast<std::uint32_t>(row_cells_.back().size()), row_cells_.back().data(), sizeof(weir_cell_v1), 0});
    *out = &rows_.back();
    return WEIR_FOUND;
}

weir_answer HandlerCall::take_emit(const weir_emit_v1 &emitted) {
    const std::string type(text_of(emitted.event_type));
    const std::string topic(text_of(emitted.topic));
    std::string reason;
    if (topic.empty() || !event::is_event_type(type)) {
        refuse("invalid_emit", topic.empty()
                                   ? "the handler emitted an event without a topic"
                                   : "the handler emitted an event of type '" + bounded(type) + "', which is not <name>.v<number>");
        return WEIR_REFUSED;
    }
    if (!is_topic_name(topic) || emitted.payload.size > kEmittedPayloadLimit) {
        refuse("invalid_emit", is_topic_name(topic) ? "the payload of the emitted " + type + " is larger than 1 MiB"
                                                    : "the handler emitted to a topic whose name is not 1 to 200 of A-Z a-z 0-9 . _ -");
        return WEIR_REFUSED;
    }
    const auto payload = event::parse_json(text_of(emitted.payload), 64, reason);
    if (!payload) {
        refuse("invalid_emit", "the payload of the emitted " + type + " is not JSON: " + reason);
        return WEIR_REFUSED;
    }
    store::OutboxEntry entry;
    // With the domain in it: two domains may emit for one event.
    entry.event_id = event::Uuid::v5(event_->id, domain_ + "/emit/" + std::to_string(result_.emitted.size()));
    entry.topic = topic;
    entry.key = std::string(text_of(emitted.key));
    entry.event_type = type;
    entry.envelope = make_envelope(entry.event_id, type, *event_, payload->dump("").value_or("null"));
    entry.created_at = event_->message->appended_at;
    for (std::uint32_t i = 0; i < emitted.header_count; ++i) {
        weir_header_v1 header{};
        std::memcpy(&header, reinterpret_cast<const char *>(emitted.headers) + static_cast<std::size_t>(emitted.header_stride) * i,
                    std::min<std::size_t>(emitted.header_stride, sizeof header));
        entry.headers.emplace_back(std::string(text_of(header.name)), std::string(text_of(header.value)));
    }
    result_.emitted.push_back(std::move(entry));
    return WEIR_FOUND;
}

} // namespace weir::engine
