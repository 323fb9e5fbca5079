// SPDX-License-Identifier: Apache-2.0
/// @file
/// The event and the call that a handler is given in a test, with a watch on how it uses them.
#pragma once

#include "module.hpp"
#include "tables.hpp"

#include <cstring>
#include <deque>
#include <functional>
#include <thread>

namespace weir::testkit {

/// Where an instance is in its life, see abi/plugin.h.
enum class State { loaded, configured, running, draining, closed };

/// An event that a handler emitted.
struct Emitted {
    std::string topic;                                        ///< where to
    std::string key;                                          ///< what orders it
    std::string event_type;                                   ///< "user.renamed.v1"
    std::string payload;                                      ///< JSON
    std::vector<std::pair<std::string, std::string>> headers; ///< in order
};

/// @cond internal
namespace detail {

/// Memory that plugins borrow: overwritten when the call ends, so that a view that was kept shows.
class Lent {
public:
    weir_view lend(std::string_view text) {
        auto &kept = texts_.emplace_back(text);
        return weir::detail::view(kept);
    }
    bool holds(const char *data) const noexcept {
        return std::any_of(texts_.begin(), texts_.end(),
                           [data](const std::string &text) { return data >= text.data() && data < text.data() + text.size(); });
    }
    void take_back() noexcept {
        for (std::string &text : texts_) {
            std::fill(text.begin(), text.end(), '\xDD');
        }
    }

private:
    std::deque<std::string> texts_;
};

/// What a Run needs of the kit: the rows, and where misuse is noted.
struct Shared {
    Tables *tables = nullptr;
    std::vector<std::string> *violations = nullptr;
    std::deque<std::unique_ptr<class Run>> *past = nullptr;
};

/// One run of one handler: both tables of the ABI, and everything the handler did.
class Run {
public:
    Run(Shared shared, const JsonValue &payload, std::string_view message) : shared_(shared), payload_(payload) {
        event.size = sizeof(event);
        event.host = this;
        event.message = lent.lend(message);
        event.kind = [](const weir_event_v1 *e, weir_view pointer) { return of(e).kind(pointer); };
        event.text = [](const weir_event_v1 *e, weir_view pointer, weir_view *out) {
            return of(e).member(
                pointer, [&](Run &run, const JsonValue &v) { return v.kind == WEIR_JSON_TEXT ? run.give(v.text, out) : WEIR_WRONG_TYPE; });
        };
        event.integer = [](const weir_event_v1 *e, weir_view pointer, std::int64_t *out) {
            return of(e).member(pointer, [&](Run &, const JsonValue &v) { return set(v.kind == WEIR_JSON_INTEGER, v.integer, out); });
        };
        event.number = [](const weir_event_v1 *e, weir_view pointer, double *out) {
            return of(e).member(pointer, [&](Run &, const JsonValue &v) {
                return set(v.kind == WEIR_JSON_INTEGER || v.kind == WEIR_JSON_NUMBER, v.number, out);
            });
        };
        event.boolean = [](const weir_event_v1 *e, weir_view pointer, std::int32_t *out) {
            return of(e).member(pointer, [&](Run &, const JsonValue &v) {
                return set(v.kind == WEIR_JSON_BOOL, static_cast<std::int32_t>(v.integer), out);
            });
        };
        event.timestamp = [](const weir_event_v1 *e, weir_view pointer, std::int64_t *out) {
            return of(e).member(pointer, [&](Run &, const JsonValue &v) {
                const auto time = v.kind == WEIR_JSON_TEXT ? parse_time(v.text) : std::nullopt;
                return set(time.has_value(), time.value_or(0), out);
            });
        };
        event.json = [](const weir_event_v1 *e, weir_view pointer, weir_view *out) { return of(e).json(pointer, out); };
        event.length = [](const weir_event_v1 *e, weir_view pointer, std::uint64_t *out) {
            return of(e).member(pointer, [&](Run &, const JsonValue &v) {
                return set(v.kind == WEIR_JSON_ARRAY || v.kind == WEIR_JSON_OBJECT, static_cast<std::uint64_t>(v.members.size()), out);
            });
        };
        event.header = [](const weir_event_v1 *e, weir_view name, weir_view *out) { return of(e).header(name, out); };
        call.size = sizeof(call);
        call.host = this;
        call.change = [](const weir_call_v1 *c, const weir_change_v1 *change) { return of(c).state_change(*change); };
        call.read = [](const weir_call_v1 *c, std::uint32_t table, const weir_cell_v1 *key, std::uint32_t count, std::uint32_t stride,
                       const weir_row_v1 **out) { return of(c).read(table, key, count, stride, out); };
        call.scan = [](const weir_call_v1 *c, const weir_scan_v1 *stated, weir_row_sink sink, void *user) {
            Run &run = of(c);
            if (!run.scan) {
                return run.refuse("scan is not offered to event handlers: read by key");
            }
            return run.in_use("scan") ? run.scan(*stated, sink, user) : WEIR_REFUSED;
        };
        call.emit = [](const weir_call_v1 *c, const weir_emit_v1 *emission) { return of(c).emit_to(of(c).emitted, *emission); };
        call.new_id = [](const weir_call_v1 *c, std::uint32_t n, weir_view *out) {
            Run &run = of(c);
            return run.in_use("new_id") ? run.give(uuid_v5(run.origin_.event_id, std::to_string(n)).text(), out) : WEIR_REFUSED;
        };
        call.error = [](const weir_call_v1 *c, weir_view code, weir_view message_view) {
            Run &run = of(c);
            if (run.in_use("error")) {
                run.error_code = string(code);
                run.error_message = string(message_view);
            }
        };
        call.log = [](const weir_call_v1 *c, std::uint32_t, weir_view line) {
            Run &run = of(c);
            if (run.in_use("log")) {
                run.log.push_back(string(line));
            }
        };
    }
    Run(const Run &) = delete;
    Run &operator=(const Run &) = delete;

    /// Calls the handler; afterwards nothing of this may be used by the plugin.
    weir_status run(weir_handler_v1 handler, void *instance, std::int64_t now, const Uuid &id) {
        return run([&] { return handler(instance, &event, &call); }, now, id);
    }
    /// The same for what is no event handler.
    template <class Body> weir_status run(Body body, std::int64_t now, const Uuid &id) {
        origin_ = {now, id};
        call.now_us = now;
        thread_ = std::this_thread::get_id();
        open_ = true;
        const weir_status status = body();
        open_ = false;
        lent.take_back();
        return status;
    }

    /// Puts the rows back as they were before this run.
    void undo() {
        for (; !undo_.empty(); undo_.pop_back()) {
            shared_.tables->restore(undo_.back().table, undo_.back().key, undo_.back().before);
        }
    }

    weir_event_v1 event{};
    weir_call_v1 call{};
    Lent lent;
    std::vector<StatedChange> changes;
    std::vector<Emitted> emitted;
    std::vector<std::string> log;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string error_code;
    std::string error_message;
    std::string refusal; ///< why the host would reject the event whatever the handler returns
    bool stale = false;
    std::function<weir_answer(const weir_scan_v1 &, weir_row_sink, void *)> scan; ///< of routes

    struct RowCopy {
        weir_row_v1 row{};
        std::vector<weir_cell_v1> cells;
    };

    /// Whether the plugin may call this now; notes misuse where not.
    bool in_use(const char *what) {
        if (!open_) {
            shared_.violations->push_back(std::string(what) +
                                          " was called after the handler had returned: events and calls may not be kept");
        } else if (std::this_thread::get_id() != thread_) {
            shared_.violations->push_back(std::string(what) + " was called on another thread than the handler's");
        } else {
            return true;
        }
        return false;
    }
    weir_answer refuse(const std::string &reason) {
        refusal = refusal.empty() ? reason : refusal;
        return WEIR_REFUSED;
    }
    /// Notes a view of an earlier run.
    void watch(weir_view text) {
        constexpr std::size_t watched = 32; // the latest ones: enough to see it, and a long test stays quick
        const std::size_t first = shared_.past->size() > watched ? shared_.past->size() - watched : 0;
        for (std::size_t i = first; i < shared_.past->size(); ++i) {
            const Run *run = (*shared_.past)[i].get();
            if (text.size && run != this && run->lent.holds(text.data)) {
                shared_.violations->push_back("a view of an earlier event was kept and handed to the host: copy what you keep");
            }
        }
    }
    /// A row as it is lent to the plugin.
    RowCopy &copy(const Cells &cells) {
        RowCopy &made = rows_.emplace_back();
        for (std::uint32_t i = 0; i < cells.size(); ++i) {
            weir_cell_v1 cell{};
            cell.column = i;
            cell.flags = std::holds_alternative<std::monostate>(cells[i]) ? WEIR_CELL_IS_NULL : 0;
            if (const auto *integer = std::get_if<std::int64_t>(&cells[i])) {
                cell.integer = *integer;
            } else if (const auto *number = std::get_if<double>(&cells[i])) {
                cell.number = *number;
            } else if (const auto *text = std::get_if<std::string>(&cells[i])) {
                cell.text = lent.lend(*text);
            }
            made.cells.push_back(cell);
        }
        made.row.size = sizeof(made.row);
        made.row.cell_count = static_cast<std::uint32_t>(made.cells.size());
        made.row.cells = made.cells.data();
        made.row.cell_stride = sizeof(weir_cell_v1);
        return made;
    }
    /// Takes an event that is to go out.
    weir_answer emit_to(std::vector<Emitted> &target, const weir_emit_v1 &raw) {
        if (!in_use("emit")) {
            return WEIR_REFUSED;
        }
        watch(raw.payload);
        Emitted out{string(raw.topic), string(raw.key), string(raw.event_type), string(raw.payload), {}};
        if (out.topic.empty() || !is_event_type(out.event_type)) {
            return refuse("emit: a topic and an event type such as user.renamed.v1 are needed");
        }
        try {
            JsonParser::parse(out.payload);
        } catch (const JsonError &error) {
            return refuse(std::string("emit: the payload: ") + error.what());
        }
        for (std::uint32_t i = 0; i < raw.header_count; ++i) {
            const auto &each = element(raw.headers, raw.header_stride, i);
            out.headers.emplace_back(string(each.name), string(each.value));
        }
        target.push_back(std::move(out));
        return WEIR_FOUND;
    }

private:
    struct Undo {
        std::uint32_t table;
        std::vector<Value> key;
        std::optional<Cells> before;
    };

    static Run &of(const weir_event_v1 *event) { return *const_cast<Run *>(static_cast<const Run *>(event->host)); }
    static Run &of(const weir_call_v1 *call) { return *static_cast<Run *>(call->host); }

    template <class T> static weir_answer set(bool right, T value, T *out) {
        if (right) {
            *out = value;
        }
        return right ? WEIR_FOUND : WEIR_WRONG_TYPE;
    }
    weir_answer give(std::string_view text, weir_view *out) {
        *out = lent.lend(text);
        return WEIR_FOUND;
    }

    std::uint32_t kind(weir_view pointer) {
        const JsonValue *value = in_use("event->kind") ? payload_.at(weir::detail::text(pointer)) : nullptr;
        return value ? value->kind : WEIR_JSON_ABSENT;
    }
    template <class Take> weir_answer member(weir_view pointer, Take take) {
        if (!in_use("an accessor of the event")) {
            return WEIR_REFUSED;
        }
        const JsonValue *value = payload_.at(weir::detail::text(pointer));
        return !value ? WEIR_ABSENT : value->kind == WEIR_JSON_NULL ? WEIR_NULL : take(*this, *value);
    }
    weir_answer json(weir_view pointer, weir_view *out) {
        const JsonValue *value = in_use("event->json") ? payload_.at(weir::detail::text(pointer)) : nullptr;
        return value ? give(value->source, out) : WEIR_ABSENT;
    }
    weir_answer header(weir_view name, weir_view *out) {
        if (!in_use("event->header")) {
            return WEIR_REFUSED;
        }
        for (const auto &[key, value] : headers) {
            if (key == weir::detail::text(name)) {
                return give(value, out);
            }
        }
        return WEIR_ABSENT;
    }

    weir_answer state_change(const weir_change_v1 &raw) {
        if (!in_use("change")) {
            return WEIR_REFUSED;
        }
        for (std::uint32_t i = 0; i < raw.cell_count; ++i) {
            watch(element(raw.cells, raw.cell_stride, i).text);
        }
        StatedChange change;
        if (auto reason = shared_.tables->check(raw, change)) {
            return refuse(*reason);
        }
        const Cells *before = shared_.tables->find(change.table, change.key);
        undo_.push_back({change.table, change.key, before ? std::optional(*before) : std::nullopt});
        if (auto reason = shared_.tables->apply(change, origin_, stale)) {
            return refuse(*reason);
        }
        changes.push_back(std::move(change));
        return WEIR_FOUND;
    }

    weir_answer read(std::uint32_t table, const weir_cell_v1 *key, std::uint32_t count, std::uint32_t stride, const weir_row_v1 **out) {
        if (!in_use("read")) {
            return WEIR_REFUSED;
        }
        const auto &schema = shared_.tables->schema();
        if (table >= schema.size() || count != schema[table].primary_key.size()) {
            return refuse("read names a table that is not declared, or not every column of its key");
        }
        std::vector<Value> values(count);
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto &cell = element(key, stride, i);
            const std::uint32_t column = schema[table].primary_key[i];
            if (cell.column != column) {
                return refuse("read of " + schema[table].name + ": the key's cells are not in the key's order");
            }
            watch(cell.text);
            if (auto reason = take_value(schema[table].columns[column], cell, values[i])) {
                return refuse("read of " + schema[table].name + ": " + *reason);
            }
        }
        const Cells *found = shared_.tables->find(table, values);
        if (!found) {
            return WEIR_ABSENT;
        }
        *out = &copy(*found).row;
        return WEIR_FOUND;
    }

    Shared shared_;
    JsonValue payload_;
    Tables::Origin origin_;
    std::vector<Undo> undo_;
    std::deque<RowCopy> rows_;
    std::thread::id thread_;
    bool open_ = false;
};

} // namespace detail
/// @endcond

} // namespace weir::testkit
