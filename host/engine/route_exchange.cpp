// SPDX-License-Identifier: Apache-2.0
#include "engine/route_exchange.hpp"

#include "engine/abi_values.hpp"
#include "event/decoder.hpp"
#include "store/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace weir::engine {

namespace {

constexpr std::size_t kBodyLimit = 16u << 20;
constexpr std::size_t kHeaderLimit = 8u << 10;
constexpr std::size_t kJsonDepth = 64;
constexpr std::array<std::string_view, 7> kReplyHeaders = {
    "content-disposition", "content-language", "etag", "last-modified", "link", "location", "retry-after"};
constexpr std::array<std::string_view, 3> kHiddenHeaders = {"authorization", "cookie", "proxy-authorization"};

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

template <std::size_t N> bool is_among(const std::array<std::string_view, N> &names, const std::string &name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_field_value(std::string_view text) {
    bool nul = false;
    return text.size() <= kHeaderLimit && store::is_utf8(text, nul) &&
           std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
}

bool is_json(std::string_view content_type) {
    const std::string type = lower(content_type.substr(0, content_type.find(';')));
    const std::string_view bare = std::string_view(type).substr(0, type.find_last_not_of(" \t") + 1);
    return bare == "application/json" || bare.ends_with("+json");
}

/// A body where pointers begin with "/payload", as they do in an envelope.
class BodyJson final : public event::Json {
public:
    explicit BodyJson(std::shared_ptr<const event::Json> body) : body_(std::move(body)) {}

    event::JsonKind kind(std::string_view pointer) const override {
        return body_ ? body_->kind(within(pointer)) : within(pointer).empty() ? event::JsonKind::null : event::JsonKind::absent;
    }
    std::optional<std::string_view> text(std::string_view pointer) const override {
        return body_ ? body_->text(within(pointer)) : std::nullopt;
    }
    std::optional<std::int64_t> integer(std::string_view pointer) const override {
        return body_ ? body_->integer(within(pointer)) : std::nullopt;
    }
    std::optional<double> number(std::string_view pointer) const override { return body_ ? body_->number(within(pointer)) : std::nullopt; }
    std::optional<bool> boolean(std::string_view pointer) const override { return body_ ? body_->boolean(within(pointer)) : std::nullopt; }
    std::optional<std::string> dump(std::string_view pointer) const override {
        if (!body_) {
            return within(pointer).empty() ? std::optional<std::string>("null") : std::nullopt;
        }
        return body_->dump(within(pointer));
    }
    std::optional<std::size_t> length(std::string_view pointer) const override {
        return body_ ? body_->length(within(pointer)) : std::nullopt;
    }

private:
    static std::string_view within(std::string_view pointer) { return pointer.substr(std::string_view("/payload").size()); }
    std::shared_ptr<const event::Json> body_;
};

} // namespace

// Nothing here lets an exception out: C frames of a plugin may stand between these functions and the engine.
struct RouteExchange::Callbacks {
    static const RouteExchange &self(const weir_http_request_v1 *request) { return *static_cast<const RouteExchange *>(request->host); }
    static RouteExchange &self(const weir_http_reply_v1 *reply) { return *static_cast<RouteExchange *>(reply->host); }

    template <typename Body> static weir_answer guarded(RouteExchange &me, Body body) noexcept {
        try {
            return body();
        } catch (...) {
            me.call_.fail(std::current_exception());
            return WEIR_REFUSED;
        }
    }

    static weir_answer find(const RouteRequest::Fields &fields, std::string_view name, weir_view *out) noexcept {
        for (const auto &[key, value] : fields) {
            if (key == name) {
                *out = view_of(value);
                return WEIR_FOUND;
            }
        }
        return WEIR_ABSENT;
    }
    static weir_answer variable(const weir_http_request_v1 *request, weir_view name, weir_view *out) noexcept {
        return find(self(request).request_.variables, text_of(name), out);
    }
    static weir_answer query(const weir_http_request_v1 *request, weir_view name, weir_view *out) noexcept {
        self(request).request_.query_read = true;
        return find(self(request).request_.query, text_of(name), out);
    }
    static weir_answer request_header(const weir_http_request_v1 *request, weir_view name, weir_view *out) noexcept {
        auto &me = const_cast<RouteExchange &>(self(request));
        return guarded(me, [&]() -> weir_answer {
            const std::string wanted = lower(text_of(name));
            for (const auto &[key, value] : me.request_.headers) {
                if (lower(key) == wanted && !is_among(kHiddenHeaders, wanted)) {
                    *out = view_of(value);
                    return WEIR_FOUND;
                }
            }
            return WEIR_ABSENT;
        });
    }

    static weir_answer status(const weir_http_reply_v1 *reply, std::uint32_t status) noexcept {
        RouteExchange &me = self(reply);
        return guarded(me, [&]() -> weir_answer {
            if (status < 200 || status > 599) {
                return me.refuse("invalid_status", "the route answered with status " + std::to_string(status));
            }
            me.answer_.status = static_cast<int>(status);
            me.answer_.is_problem = me.answer_.is_problem && status >= 400; // what is well after all is no problem
            me.has_status_ = true;
            return WEIR_FOUND;
        });
    }
    static weir_answer header(const weir_http_reply_v1 *reply, weir_view name, weir_view value) noexcept {
        RouteExchange &me = self(reply);
        return guarded(me, [&]() -> weir_answer {
            const std::string wanted = lower(text_of(name));
            if (!is_among(kReplyHeaders, wanted) || !is_field_value(text_of(value))) {
                return me.refuse("invalid_header", "the route set the header " + bounded(text_of(name)) +
                                                       ", which is the host's, or gave it a value that is none");
            }
            std::erase_if(me.answer_.headers, [&](const auto &field) { return lower(field.first) == wanted; });
            me.answer_.headers.emplace_back(text_of(name), text_of(value));
            return WEIR_FOUND;
        });
    }
    static weir_answer body(const weir_http_reply_v1 *reply, weir_view content_type, weir_view bytes) noexcept {
        RouteExchange &me = self(reply);
        return guarded(me, [&]() -> weir_answer {
            if (bytes.size > kBodyLimit || text_of(content_type).find('/') == std::string_view::npos ||
                !is_field_value(text_of(content_type))) {
                return me.refuse("invalid_body", "the route answered with more than 16 MiB, or with a body of no media type in UTF-8");
            }
            me.answer_.content_type = text_of(content_type);
            me.answer_.body = text_of(bytes);
            me.answer_.is_problem = false;
            me.has_body_ = true;
            return WEIR_FOUND;
        });
    }
    static weir_answer problem(const weir_http_reply_v1 *reply, std::uint32_t status, weir_view code, weir_view detail) noexcept {
        RouteExchange &me = self(reply);
        return guarded(me, [&]() -> weir_answer {
            if (status < 400 || status > 599) {
                return me.refuse("invalid_status", "the route answered with a problem of status " + std::to_string(status));
            }
            me.answer_.status = static_cast<int>(status);
            me.answer_.is_problem = me.has_status_ = true;
            me.answer_.code = bounded(text_of(code));
            me.answer_.detail = bounded(text_of(detail));
            me.answer_.body.clear();
            return WEIR_FOUND;
        });
    }
    static weir_answer publish(const weir_http_reply_v1 *reply, const weir_emit_v1 *event) noexcept {
        RouteExchange &me = self(reply);
        return guarded(me, [&] {
            weir_emit_v1 known{};
            std::memcpy(&known, event, std::min<std::size_t>(event->size, sizeof known));
            if (text_of(known.topic).empty()) {
                known.topic = view_of(me.spec_.topics.front());
            }
            return me.call_.publish(known);
        });
    }
};

RouteExchange::RouteExchange(const DomainSpec &spec, const plugin::Route &route, const RouteRequest &request, HandlerCall &call)
    : spec_(spec), route_(route), request_(request), call_(call) {
    request_view_.size = sizeof request_view_;
    request_view_.method = route.method;
    request_view_.host = this;
    request_view_.path = view_of(request.path);
    request_view_.body = view_of(request.body);
    request_view_.variable = Callbacks::variable;
    request_view_.query = Callbacks::query;
    request_view_.header = Callbacks::request_header;
    reply_view_.size = sizeof reply_view_;
    reply_view_.host = this;
    reply_view_.status = Callbacks::status;
    reply_view_.header = Callbacks::header;
    reply_view_.body = Callbacks::body;
    reply_view_.problem = Callbacks::problem;
    reply_view_.publish = Callbacks::publish;
}

weir_status RouteExchange::run(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    request_view_.event = event;
    return route_.handle(route_.user, instance, &request_view_, &reply_view_, call);
}

RouteAnswer RouteExchange::take_answer() {
    if (!has_status_) {
        answer_.status = has_body_ ? 200 : 204;
    }
    return std::move(answer_);
}

weir_answer RouteExchange::refuse(const char *type, std::string message) {
    call_.refuse(type, std::move(message));
    return WEIR_REFUSED;
}

std::shared_ptr<const event::Event> event_of(const RouteRequest &request, const event::Uuid &id, event::Micros now, std::string &reason) {
    std::shared_ptr<const event::Json> body;
    if (!request.body.empty() && is_json(request.content_type)) {
        body = event::parse_json(request.body, kJsonDepth, reason);
        if (!body) {
            return nullptr;
        }
    }
    auto message = std::make_shared<event::Message>();
    message->appended_at = now;
    message->body = request.body;
    auto made = std::make_shared<event::Event>();
    made->message = std::move(message);
    made->id = id;
    made->type = "http.request.v1";
    made->correlation_id = request.correlation_id;
    made->occurred_at = now;
    made->envelope = std::make_shared<BodyJson>(std::move(body));
    return made;
}

} // namespace weir::engine
