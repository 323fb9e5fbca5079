// SPDX-License-Identifier: Apache-2.0
// From a request's header to its answer.
#include "http/exchange.hpp"

#include "http/access.hpp"
#include "http/media_type.hpp"
#include "http/pending_reply.hpp"
#include "http/problem.hpp"
#include "http/problem_types.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <exception>
#include <random>
#include <utility>

namespace weir::http {

namespace {

std::string listed(const std::vector<std::string> &types) {
    std::string out;
    for (const std::string &type : types) {
        out += (out.empty() ? "" : ", ") + type;
    }
    return out;
}

Response overloaded(std::string detail, std::chrono::seconds retry_after = std::chrono::seconds(1)) {
    Problem full;
    full.status = 503;
    full.type = problem_types::kOverloaded;
    full.detail = std::move(detail);
    full.retry_after = retry_after;
    return full.response();
}

Response starting() {
    Problem early;
    early.status = 503;
    early.type = problem_types::kStarting;
    early.detail = "The host is starting: its routes are not there yet";
    early.retry_after = std::chrono::seconds(1);
    return early.response();
}

/// How long a handler has, and by which key.
std::string told(std::chrono::steady_clock::duration given, const RouteOptions &options) {
    const std::string key = options.timeout ? options.timeout_key : "http.handler_timeout_ms";
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(given).count()) + " ms (" +
           (key.empty() ? "the route's own time" : key) + ")";
}

/// What can be said by the header alone: an answer, or nothing where the handler is to give it.
std::optional<Response> decide(const Request &request, const Routes::Match &match, const RequestParser &parser,
                               const ListenerOptions &listener) {
    if (request.method == Method::options && (parser.is_asterisk() || !match.allowed.empty())) {
        return answer_options(request, listener, parser.is_asterisk() ? "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" : match.allowed);
    }
    if (match.route == nullptr) {
        if (match.allowed.empty()) {
            return problem(404, "Nothing is served at this path; /openapi.json lists what is", problem_types::kNotFound);
        }
        Response response = problem(405, "This path takes " + match.allowed, problem_types::kMethodNotAllowed);
        response.headers.add("Allow", match.allowed);
        return response;
    }
    const RouteOptions &options = match.route->options;
    if (options.access == Access::guarded && !request.authorized) {
        return refuse_access(request, listener);
    }
    if (const std::string accept = request.headers.joined("Accept");
        !accept.empty() && !options.produces.empty() && !accepts(accept, options.produces)) {
        return problem(406, "This route answers with " + listed(options.produces) + ", which Accept leaves out", problem_types::kMediaType);
    }
    if (parser.has_body()) {
        if (request.headers.find("Content-Encoding")) {
            return problem(415, "Bodies are taken without a Content-Encoding", problem_types::kMediaType);
        }
        const auto type = request.headers.find("Content-Type");
        if (!options.consumes.empty() && !is_one_of(type.value_or(""), options.consumes)) {
            return problem(415, "This route takes a body of Content-Type " + listed(options.consumes), problem_types::kMediaType);
        }
    }
    return std::nullopt;
}

} // namespace

std::string new_request_id() {
    static const std::uint32_t process = std::random_device{}();
    static std::atomic<std::uint64_t> count{0};
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%08x%010llx", process, static_cast<unsigned long long>(++count));
    return text.data();
}

void finish(Response &response, const Request &request, const Route *route) {
    if (response.wants_instance && !request.path.empty() && !response.body.empty()) {
        response.body.insert(response.body.size() - 1, ",\"instance\":" + json_string(request.path));
    }
    if (route != nullptr) {
        tag(response, *route);
    }
}

bool Connection::headed(bool more_has_come) {
    exchange_ = std::make_unique<Exchange>();
    Exchange &now = *exchange_;
    now.in_force = listener_->now();
    now.lease = BodyLease(loop_->shared_pointer());
    now.head = parser_->is_head();
    now.http_1_0 = parser_->is_http_1_0();
    ++number_; // for each, also the last: an answer that comes late for another request is known by it
    now.close = !parser_->keep_alive() || number_ >= now.in_force.limits->max_requests_per_connection;
    ++loop_->shared().requests;
    Request &request = parser_->request();
    request.remote_address = peer_.address;
    request.remote_port = peer_.port;
    request.id = new_request_id();
    judge(request, *now.in_force.options, now.http_1_0);
    deadline_ = Clock::now() + std::chrono::milliseconds(now.in_force.limits->body_timeout_ms);
    std::size_t max_body_bytes = now.in_force.limits->max_body_bytes;
    if (!now.in_force.routes) {
        now.decided = starting();
    } else {
        Routes::Match match = now.in_force.routes->match(request.method, request.segments);
        now.decided = decide(request, match, *parser_, *now.in_force.options);
        now.route = match.route;
        if (match.route != nullptr) {
            request.route = match.route->pattern;
            request.path_parameters = std::move(match.parameters);
            max_body_bytes = std::min(match.route->options.max_body_bytes.value_or(max_body_bytes), max_body_bytes);
        }
    }
    const bool reserved = only_for_operations();
    if (reserved) {
        now.close = true;
        if (!now.decided && now.route->options.runs == Runs::worker) {
            ++loop_->shared().refused;
            now.decided = overloaded("There are as many connections as http.max_connections, or http.max_connections_per_address, allows: "
                                     "what is beyond is for operations",
                                     std::chrono::seconds(5));
        }
    }
    if (!now.decided && now.route->options.events && !now.head) {
        now.decided = refuse_stream();
    }
    if (now.decided && parser_->has_body() && (reserved || (parser_->expects_continue() && !more_has_come))) {
        now.close = true; // its body is not asked for, or not read
        dispatch();
        return false;
    }
    parser_->allow_body(max_body_bytes, !now.decided);
    if (parser_->stage() == RequestParser::Stage::body && parser_->expects_continue() && !more_has_come) {
        output_ += "HTTP/1.1 100 Continue\r\n\r\n";
        begin_to_write();
    }
    return true;
}

/// Takes one of the event streams that clients may have. @return the answer where there is none left
std::optional<Response> Connection::refuse_stream() {
    const InForce &in_force = exchange_->in_force;
    const Shares::Entered entered = exchange_->stream.take(loop_->shared_pointer(), peer_.share, *in_force.limits);
    if (entered.entry == Shares::Entry::taken) {
        return std::nullopt;
    }
    const bool all = entered.entry == Shares::Entry::full;
    const std::string key = all ? "http.max_event_streams" : "http.max_event_streams_per_address";
    const std::size_t most = all ? in_force.limits->max_event_streams : in_force.limits->max_event_streams_per_address;
    if (entered.is_news && loop_->shared().streams_full) {
        loop_->shared().streams_full(key, peer_.address);
    }
    return overloaded("There are as many event streams as " + key + " allows (" + std::to_string(most) + ")", std::chrono::seconds(5));
}

bool Connection::only_for_operations() const { return peer_.is_reserve() && !exchange_->in_force.options->reserve_only; }

/// @return false where there are too many bodies in memory already: then the request was answered, and the parser is gone
bool Connection::hold_body() {
    const std::size_t most = exchange_->in_force.limits->max_body_memory_bytes;
    if (exchange_->lease.grow(parser_->request().body.size(), most)) {
        return true;
    }
    exchange_->close = true;
    exchange_->decided =
        overloaded("The bodies of requests take as much memory as http.max_body_memory_bytes allows (" + std::to_string(most) + " bytes)");
    dispatch();
    return false;
}

void Connection::refuse(const Refusal &refusal) {
    if (!exchange_) {
        exchange_ = std::make_unique<Exchange>();
        exchange_->in_force = listener_->now();
        ++number_;
        ++loop_->shared().requests;
    }
    exchange_->close = true;
    exchange_->route = nullptr;
    exchange_->decided = problem(refusal.status, refusal.detail, refusal.type);
    dispatch();
}

void Connection::dispatch() {
    Exchange &now = *exchange_;
    auto held = std::make_shared<Held>();
    held->request = std::move(parser_->request());
    held->routes = now.in_force.routes;
    if (now.decided) {
        held->request.body = {};
        now.lease.give_back();
    }
    held->lease = std::move(now.lease);
    if (held->request.id.empty()) {
        held->request.id = new_request_id();
    }
    parser_.reset();
    now.complete = Clock::now();
    now.request_bytes = held->request.body.size();
    const auto timeout = now.route != nullptr && now.route->options.timeout
                             ? *now.route->options.timeout
                             : std::chrono::milliseconds(now.in_force.limits->handler_timeout_ms);
    deadline_ = held->request.deadline = now.complete + timeout;
    now.request = std::shared_ptr<const Request>(held, &held->request);
    state_ = State::running;
    if (now.decided) {
        answer_now(*std::exchange(now.decided, std::nullopt));
    } else if (now.route->options.max_age.count() > 0 && !now.route->options.private_answer) {
        dispatch_cached();
    } else {
        run(reply());
    }
}

// The client waits like everybody else who asks for the same, also where its request is the one that fills the cache.
void Connection::dispatch_cached() {
    const std::shared_ptr<const Request> request = exchange_->request;
    const std::shared_ptr<const Routes> routes = exchange_->in_force.routes;
    const Route *route = exchange_->route;
    const ResponseCache::Key key = ResponseCache::key_of(request->path, request->parameters);
    const auto waiter = [weak = weak_from_this(), loop = loop_, number = number_](const KeptResponse *kept) {
        if (kept != nullptr) {
            return deliver(weak, *loop, number, *kept);
        }
        loop->post([weak, number] {
            const auto self = weak.lock();
            if (self && self->state_ == State::running && self->number_ == number) {
                self->dispatch_cached();
            }
        });
    };
    const ResponseCache::Asked asked = routes->cache().ask(key, Clock::now(), waiter);
    if (asked.kept) {
        answer(number_, *asked.kept);
    } else if (asked.fill) {
        run(Reply(std::make_shared<Reply::Pending>([routes, request, route, key, fill = *asked.fill](Response response) {
            if (response.stream) {
                response.stream->end();
                response = problem(500, "An event stream can't be kept: this route has a max_age", problem_types::kHandlerFailed);
            }
            finish(response, *request, route);
            const auto max_age = response.status == 200 ? route->options.max_age : std::chrono::milliseconds(0);
            routes->cache().put(fill, key, std::make_shared<const Response>(std::move(response)), max_age);
        })));
    }
}

Reply Connection::reply() {
    return Reply(std::make_shared<Reply::Pending>([weak = weak_from_this(), loop = loop_, number = number_, request = exchange_->request,
                                                   route = exchange_->route](Response response) {
        finish(response, *request, route);
        deliver(weak, *loop, number, {std::make_shared<const Response>(std::move(response)), Clock::now()});
    }));
}

void Connection::deliver(const std::weak_ptr<Connection> &weak, Loop &loop, std::uint64_t number, const KeptResponse &kept) {
    const auto now = [weak, number, kept] {
        if (const auto self = weak.lock()) {
            self->answer(number, kept);
        } else if (kept.response->stream) {
            kept.response->stream->end();
        }
    };
    if (loop.is_this_thread()) {
        now();
    } else {
        loop.post(now);
    }
}

void Connection::run(Reply reply) {
    const Route *route = exchange_->route;
    const auto call = [route, reply, given = deadline_ - exchange_->complete, request = exchange_->request,
                       shared = loop_->shared_pointer()] {
        const auto failed = [&](std::string_view reason) {
            if (shared->failed) {
                shared->failed(route->pattern, reason);
            }
            reply(problem(500, "The handler of this route failed; the log says why", problem_types::kHandlerFailed));
        };
        if (Clock::now() >= request->deadline) {
            return reply(problem(504, "No worker was free within " + told(given, route->options) + "; http.workers says how many there are",
                                 problem_types::kHandlerTimeout));
        }
        try {
            if (route->handler) {
                reply(route->handler(*request));
            } else {
                route->async(request, reply);
            }
        } catch (const std::exception &failure) {
            failed(failure.what());
        } catch (...) {
            failed("something that is no std::exception was thrown");
        }
    };
    if (route->options.runs == Runs::at_once) {
        return call();
    }
    WorkerPool &pool = route->options.runs == Runs::reserve ? loop_->shared().reserve : loop_->shared().workers;
    if (!pool.submit(call, deadline_)) {
        reply(overloaded("As many requests wait as http.max_queue allows (" + std::to_string(exchange_->in_force.limits->max_queue) + ")"));
    }
}

void Connection::handler_timed_out() {
    answer_now(problem(504, "The handler has not answered within " + told(deadline_ - exchange_->complete, exchange_->route->options),
                       problem_types::kHandlerTimeout));
}

void Connection::answer_now(Response response) {
    finish(response, *exchange_->request, exchange_->route);
    answer(number_, {std::make_shared<const Response>(std::move(response)), Clock::now()});
}

void Connection::answer(std::uint64_t number, const KeptResponse &kept) {
    if (state_ != State::running || number != number_) { // it came too late
        if (kept.response->stream) {
            kept.response->stream->end();
        }
        return;
    }
    Exchange &now = *exchange_;
    const bool streams = kept.response->stream && !now.head;
    AnswerContext context;
    context.request = now.request.get();
    context.route = now.route;
    context.listener = now.in_force.options.get();
    context.date = loop_->date(Clock::now());
    context.id = now.request->id;
    context.head = now.head;
    context.close = now.close || streams || loop_->shared().draining.load();
    context.keep_alive_1_0 = now.http_1_0;
    context.chunked = !now.http_1_0;
    const Answer made = make_answer(kept, context);
    output_ += made.head;
    if (made.body && made.body->size() <= kSmallBody) {
        output_ += *made.body;
    } else {
        body_ = made.body;
        body_sent_ = 0;
    }
    begin_to_write();
    if (loop_->shared().observe) {
        loop_->shared().observe({context.listener->name, now.route != nullptr ? std::string_view(now.route->pattern) : std::string_view(),
                                 now.request->method, made.status, Clock::now() - now.complete, now.request_bytes,
                                 made.body ? made.body->size() : 0});
    }
    if (streams) {
        begin_stream(kept.response->stream->state());
        if (loop_->shared().draining || now.in_force.routes != listener_->now().routes) {
            end_stream(); // it came too late to be ended with the others
        }
    } else {
        if (kept.response->stream) {
            kept.response->stream->end();
        }
        state_ = context.close ? State::closing : State::reading;
        deadline_ = Clock::now() +
                    std::chrono::milliseconds(context.close ? now.in_force.limits->write_timeout_ms : now.in_force.limits->idle_timeout_ms);
        exchange_.reset();
    }
    if (!processing_) {
        flush();
    }
}

} // namespace weir::http
