// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Routes for C++ authors: what a plugin answers over HTTP.
 *
 *     WEIR_ROUTE(show_user) {
 *         const auto row = call.read(users, request.uuid("user"));
 *         if (!row) {
 *             return reply.problem(404, "unknown_user", "there is no user with this id");
 *         }
 *         reply.json(weir::JsonObject().add("email", (*row)[users.email]).text());
 *     }
 *
 *     WEIR_PLUGIN(hello, "hello", "1.0.0") {
 *         plugin.tables(users).domain(...);
 *         weir::Routes(plugin).get("/users/{user}", show_user);
 *     }
 *
 * The host does the rest: parsing, limits, errors as problem details, security headers, caching. See <weir/http.h> for what is promised.
 */
#pragma once

#include "http.h"

#include "cpp/json_text.hpp"
#include "plugin.hpp"

namespace weir {

/// Thrown to answer with problem details (RFC 9457) from deep inside a route; nothing is changed then.
class Problem : public std::runtime_error {
public:
    /// @param status 400 to 599
    /// @param code   short and stable, "unknown_user"
    /// @param detail a sentence that names what to change, without personal data
    Problem(unsigned status, std::string code, const std::string &detail)
        : std::runtime_error(detail), status_(status), code_(std::move(code)) {}
    /// The status.
    unsigned status() const noexcept { return status_; }
    /// The code, for as long as this object lives.
    const std::string &code() const noexcept { return code_; }

private:
    unsigned status_;
    std::string code_;
};

/// A request. Everything it returns is valid until the handler returns. Not copyable: copy what you keep.
class Request {
public:
    /// @param request as the host handed it over; outlives this
    explicit Request(const weir_http_request_v1 &request) noexcept : request_(request), body_(*request.event, "") {}
    Request(const Request &) = delete;
    Request &operator=(const Request &) = delete;

    /// The path, decoded, without the query.
    std::string_view path() const noexcept { return detail::text(request_.path); }
    /// The request's id; under one Idempotency-Key always the same.
    Uuid id() const { return body_.id(); }
    /// The JSON body, by pointers: `request.body().text("/vote")`. What is missing or of another type is answered with 422.
    const Event &body() const noexcept { return body_; }
    /// The body's bytes, whatever they are.
    std::string_view bytes() const noexcept { return detail::text(request_.body); }

    /// What stands in the path in the place of `{name}`.
    std::string_view variable(std::string_view name) const {
        const auto found = ask(request_.variable, name);
        if (!found) {
            detail::plugin_error("the route's path has no {" + std::string(name) + "}");
        }
        return *found;
    }
    /// The same as a UUID; anything else is answered with 404, because no such thing can be there.
    Uuid uuid(std::string_view name) const {
        const auto uuid = Uuid::parse(variable(name));
        if (!uuid) {
            throw Problem(404, "not_found", "{" + std::string(name) + "} in the path is no UUID");
        }
        return *uuid;
    }
    /// The first parameter of this name in the query.
    std::optional<std::string_view> query(std::string_view name) const { return ask(request_.query, name); }
    /// A header field; case doesn't count.
    std::optional<std::string_view> header(std::string_view name) const { return ask(request_.header, name); }

private:
    std::optional<std::string_view> ask(decltype(weir_http_request_v1::query) function, std::string_view name) const {
        weir_view found{};
        return function(&request_, detail::view(name), &found) == WEIR_FOUND ? std::optional(detail::text(found)) : std::nullopt;
    }
    const weir_http_request_v1 &request_;
    Event body_;
};

/// The answer to a request. What is handed over is copied.
class Reply {
public:
    /// @param reply as the host handed it over; outlives this
    explicit Reply(const weir_http_reply_v1 &reply) noexcept : reply_(reply) {}
    Reply(const Reply &) = delete;
    Reply &operator=(const Reply &) = delete;

    /// 200 to 599. Without it: 200 where there is a body, else 204.
    Reply &status(unsigned status) {
        need(reply_.status(&reply_, status));
        return *this;
    }
    /// One of the header fields that <weir/http.h> lists.
    Reply &header(std::string_view name, std::string_view value) {
        need(reply_.header(&reply_, detail::view(name), detail::view(value)));
        return *this;
    }
    /// Any body.
    Reply &body(std::string_view content_type, std::string_view bytes) {
        need(reply_.body(&reply_, detail::view(content_type), detail::view(bytes)));
        return *this;
    }
    /// JSON text.
    Reply &json(std::string_view text) { return body("application/json", text); }
    /// Plain text.
    Reply &text(std::string_view text) { return body("text/plain; charset=utf-8", text); }

    /// Problem details instead; return after it.
    /// @param status from 400 to 599
    /// @param code   short, for programs: "unknown_user"
    /// @param detail names what to change and holds no personal data
    void problem(unsigned status, std::string_view code, std::string_view detail) {
        need(reply_.problem(&reply_, status, detail::view(code), detail::view(detail)));
    }

    /// Publishes an event before the answer is sent; where the broker can't be reached, the answer is 503, where it refuses the event 502.
    Reply &publish(const Emission &emission) {
        detail::with_emission(emission, [this](const weir_emit_v1 &event) { need(reply_.publish(&reply_, &event)); });
        return *this;
    }

private:
    static void need(weir_answer answer) {
        if (answer != WEIR_FOUND) {
            throw Call::Refused{};
        }
    }
    const weir_http_reply_v1 &reply_;
};

/// The body of a route: made by WEIR_ROUTE, or any function of this type.
using RouteHandler = void (*)(const Request &request, Reply &reply, Call &call);

/// What may be said of a route besides method and path.
struct RouteOptions {
    std::string_view summary{};                 ///< one sentence, for the OpenAPI document
    std::chrono::milliseconds max_age{0};       ///< GET: how long an answer may be given to everybody
    std::uint32_t max_body_bytes = 0;           ///< of the request; 0: the host's limit
    std::string_view consumes{};                ///< media type of the request's body; empty: application/json
    std::string_view produces{};                ///< media type of the answers; empty: application/json
    std::string_view content_security_policy{}; ///< for pages; empty: nothing may be loaded from anywhere
    bool guarded = false;                       ///< only with the host's bearer token, or from a local address: else 401, 403
};

/// @cond internal
namespace detail {

struct RouteEntry {
    const Plugin *plugin = nullptr;
    RouteHandler handler = nullptr;
    std::string_view content_type; ///< of an asset
    std::string_view content;
};

/// The one place where C++ errors of a route become C statuses.
inline weir_status run_route(const void *user, void *instance, const weir_http_request_v1 *raw_request, const weir_http_reply_v1 *raw_reply,
                             const weir_call_v1 *raw_call) noexcept {
    const auto fail = [raw_call](weir_status status, std::string_view code, std::string_view message) noexcept {
        raw_call->error(raw_call, view(code), view(message));
        return status;
    };
    const auto &entry = *static_cast<const RouteEntry *>(user);
    try {
        Call call(*entry.plugin, instance, *raw_call);
        const Request request(*raw_request);
        Reply reply(*raw_reply);
        if (!entry.handler) {
            reply.body(entry.content_type, entry.content);
            return WEIR_OK;
        }
        entry.handler(request, reply, call);
        return call.finish();
    } catch (const Problem &problem) {
        raw_reply->problem(raw_reply, problem.status(), view(problem.code()), view(problem.what()));
        return WEIR_SKIP;
    } catch (const Retry &error) {
        return fail(WEIR_RETRY, error.code(), error.what());
    } catch (const Fatal &error) {
        return fail(WEIR_FATAL, error.code(), error.what());
    } catch (const Reject &error) {
        return fail(error.code() == "plugin_error" ? WEIR_FATAL : WEIR_REJECT, error.code(), error.what());
    } catch (const Skip &) {
        return WEIR_SKIP;
    } catch (const Call::Refused &) {
        return WEIR_REJECT; // the host has noted why
    } catch (const std::bad_alloc &) {
        return fail(WEIR_RETRY, "out_of_memory", "the route ran out of memory");
    } catch (const std::exception &error) {
        return fail(WEIR_FATAL, "handler_threw", error.what());
    } catch (...) {
        return fail(WEIR_FATAL, "handler_threw", "the route threw something that is no std::exception");
    }
}

/// What the extension hands out, kept with the plugin.
struct RouteTable {
    weir_http_v1 http{};
    std::vector<weir_http_route_v1> routes;
    std::vector<std::unique_ptr<RouteEntry>> entries;

    void add(const Plugin &plugin, std::uint32_t method, std::string_view path, RouteEntry entry, const RouteOptions &options,
             std::uint32_t flags) {
        entry.plugin = &plugin;
        entries.push_back(std::make_unique<RouteEntry>(entry));
        weir_http_route_v1 route{};
        route.path = view(path);
        route.method = method;
        route.flags = flags | (options.guarded ? WEIR_HTTP_GUARDED : 0u);
        route.max_age_ms = static_cast<std::uint32_t>(options.max_age.count());
        route.max_body_bytes = options.max_body_bytes;
        route.consumes = view(options.consumes);
        route.produces = view(options.produces);
        route.content_security_policy = view(options.content_security_policy);
        route.summary = view(options.summary);
        route.handle = run_route;
        route.user = entries.back().get();
        routes.push_back(route);
        http.size = sizeof(http);
        http.route_count = static_cast<std::uint32_t>(routes.size());
        http.routes = routes.data();
        http.route_stride = sizeof(weir_http_route_v1);
    }
};

} // namespace detail
/// @endcond

/**
 * The routes of a plugin, in the body of WEIR_PLUGIN. All texts must be literals (or live as long as the process). Paths begin with "/";
 * segments are text or `{name}`; the last may be `{name...}` for all that follows.
 */
class Routes {
public:
    /// Routes are added to the plugin as they are stated. Throws where it is asked twice: go on with the first.
    explicit Routes(Plugin &plugin)
        : plugin_(plugin), table_(plugin.extend<detail::RouteTable>(WEIR_HTTP_EXTENSION, [](const detail::RouteTable &table) {
              return static_cast<const void *>(&table.http);
          })) {}

    /// Reads; may not change, emit or publish. Answers HEAD as well.
    Routes &get(std::string_view path, RouteHandler handler, const RouteOptions &options = {}) {
        return add(WEIR_HTTP_GET, path, handler, options);
    }
    /// Repeated under an Idempotency-Key, it takes effect once.
    Routes &post(std::string_view path, RouteHandler handler, const RouteOptions &options = {}) {
        return add(WEIR_HTTP_POST, path, handler, options);
    }
    /// Replaces something.
    Routes &put(std::string_view path, RouteHandler handler, const RouteOptions &options = {}) {
        return add(WEIR_HTTP_PUT, path, handler, options);
    }
    /// Changes something.
    Routes &patch(std::string_view path, RouteHandler handler, const RouteOptions &options = {}) {
        return add(WEIR_HTTP_PATCH, path, handler, options);
    }
    /// Deletes something. (`delete` is a keyword.)
    Routes &erase(std::string_view path, RouteHandler handler, const RouteOptions &options = {}) {
        return add(WEIR_HTTP_DELETE, path, handler, options);
    }
    /// A GET route as a stream of server-sent events: while somebody listens, it runs every so often, and its body is sent when it changed.
    Routes &events(std::string_view path, RouteHandler handler, std::chrono::milliseconds every, RouteOptions options = {}) {
        options.max_age = every;
        options.produces = options.produces.empty() ? std::string_view("text/event-stream") : options.produces;
        return add(WEIR_HTTP_GET, path, {nullptr, handler, {}, {}}, options, WEIR_HTTP_EVENTS);
    }
    /// Content that doesn't change while the plugin is loaded: a page, a script, a style sheet.
    Routes &asset(std::string_view path, std::string_view content_type, std::string_view content, RouteOptions options = {}) {
        options.produces = content_type.substr(0, content_type.find(';'));
        return add(WEIR_HTTP_GET, path, {nullptr, nullptr, content_type, content}, options, 0);
    }

private:
    Routes &add(std::uint32_t method, std::string_view path, RouteHandler handler, const RouteOptions &options) {
        return add(method, path, {nullptr, handler, {}, {}}, options, 0);
    }
    Routes &add(std::uint32_t method, std::string_view path, const detail::RouteEntry &entry, const RouteOptions &options,
                std::uint32_t flags) {
        if (options.guarded) {
            plugin_.need_abi_minor(2);
        }
        table_.add(plugin_, method, path, entry, options, flags);
        return *this;
    }
    Plugin &plugin_;
    detail::RouteTable &table_;
};

} // namespace weir

/**
 * A route's body, or, with a semicolon, its declaration: `request` is a `const weir::Request &`, `reply` a `weir::Reply &`, `call` a
 * `weir::Call &`. What is thrown in it becomes an answer: weir::Problem as it says, weir::Reject 422, weir::Retry 503, anything else 500.
 */
#define WEIR_ROUTE(name)                                                                                                                   \
    static void name([[maybe_unused]] const ::weir::Request &request, [[maybe_unused]] ::weir::Reply &reply,                               \
                     [[maybe_unused]] ::weir::Call &call)
