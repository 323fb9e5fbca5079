// SPDX-License-Identifier: Apache-2.0
#include "engine/handler_call.hpp"

#include "engine/abi_values.hpp"

#include "log/log.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace weir::engine {

namespace {

constexpr std::string_view kPayload = "/payload";

// A pointer into the payload as one into the envelope, for the length of one call. Plugins ask by pointer several times an event, so that
// a usual one takes no memory of its own.
class PayloadPointer {
public:
    explicit PayloadPointer(weir_view pointer) {
        const std::string_view rest = text_of(pointer);
        const std::size_t size = kPayload.size() + rest.size();
        char *text = usual_.data();
        if (size > usual_.size()) {
            long_.resize(size);
            text = long_.data();
        }
        std::copy(kPayload.begin(), kPayload.end(), text);
        std::copy(rest.begin(), rest.end(), text + kPayload.size());
        view_ = {text, size};
    }
    PayloadPointer(const PayloadPointer &) = delete;
    PayloadPointer &operator=(const PayloadPointer &) = delete;
    operator std::string_view() const { return view_; } // NOLINT: it stands for its text

private:
    std::array<char, 120> usual_; // NOLINT: written before it is read
    std::string long_;
    std::string_view view_;
};

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

    static weir_answer scan(const weir_call_v1 *call, const weir_scan_v1 *scan, weir_row_sink sink, void *user) noexcept {
        HandlerCall &me = self(call);
        return guarded(me, [&] {
            if (me.scan_) {
                return me.walk(*scan, sink, user);
            }
            me.refuse("scan_in_handler", "an event handler may not scan; it reads rows by their primary key");
            return weir_answer{WEIR_REFUSED};
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

HandlerCall::HandlerCall(const plugin::Description &description, std::string domain, const event::Contracts *contracts)
    : description_(description), domain_(std::move(domain)), contracts_(contracts) {
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
    static const ScanFunction no_scan;
    return run([&](const weir_event_v1 *seen, const weir_call_v1 *call) { return handler(instance, seen, call); }, event, attempt, read,
               no_scan);
}

HandlerResult HandlerCall::run(const Body &body, const event::Event &event, std::uint32_t attempt, const ReadRowFunction &read,
                               const ScanFunction &scan) {
    event_ = &event;
    read_ = &read;
    scan_ = scan ? &scan : nullptr;
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
        status = body(&event_view_, &call_view_);
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
        result_.published.clear();
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
    if (!refused_) {
        result_.plugin_fault = true;
    }
    refuse_data(std::move(type), std::move(message));
}

void HandlerCall::refuse_data(std::string type, std::string message) {
    if (!refused_) { // the first one is the cause of the others
        refused_ = true;
        result_.error = {std::move(type), std::move(message)};
    }
}

} // namespace weir::engine
