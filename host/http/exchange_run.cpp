// SPDX-License-Identifier: Apache-2.0
// From a request that is complete to its answer.
#include "http/exchange.hpp"

#include "http/handler_watch.hpp"
#include "http/pending_reply.hpp"
#include "http/problem.hpp"
#include "http/problem_types.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace weir::http {

namespace {

std::string milliseconds(std::chrono::steady_clock::duration time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

/// How long a handler has, and by which key.
std::string told(std::chrono::steady_clock::duration given, const RouteOptions &options) {
    const std::string key = options.timeout ? options.timeout_key : "http.handler_timeout_ms";
    return milliseconds(given) + " (" + (key.empty() ? "the route's own time" : key) + ")";
}

/// It has not begun, so that it may be sent again.
Response no_worker(std::chrono::steady_clock::duration given) {
    return overloaded("No worker was free within " + milliseconds(given) +
                      ": handlers of other requests keep them; http.workers says how many there are");
}

} // namespace

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
    const ResponseCache::Asked asked = routes->cache().ask(key, Clock::now(), deadline_, waiter);
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
    const auto waits = std::make_shared<std::atomic<bool>>(true);
    const auto call = [route, reply, waits, given = deadline_ - exchange_->complete, request = exchange_->request,
                       shared = loop_->shared_pointer()] {
        const auto failed = [&](std::string_view reason) {
            if (shared->failed) {
                shared->failed(route->pattern, reason);
            }
            reply(problem(500, "The handler of this route failed; the log says why", problem_types::kHandlerFailed));
        };
        if (Clock::now() >= request->deadline) {
            return reply(no_worker(given));
        }
        *waits = false;
        if (route->options.watch && route->options.watch->full()) {
            return reply(route->options.watch->refusal());
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
    if (route->options.watch && route->options.watch->full()) {
        return reply(route->options.watch->refusal());
    }
    exchange_->waits = waits;
    WorkerPool &pool = route->options.runs == Runs::reserve ? loop_->shared().reserve : loop_->shared().workers;
    WorkerPool::Job job{call, deadline_};
    if (route->options.watch) {
        job.time = deadline_ - exchange_->complete;
        job.watch = route->options.watch;
        job.route = std::shared_ptr<const Route>(exchange_->in_force.routes, route);
    }
    if (!pool.submit(std::move(job))) {
        reply(overloaded("As many requests wait as http.max_queue allows (" + std::to_string(exchange_->in_force.limits->max_queue) + ")"));
    }
}

void Connection::handler_timed_out() {
    if (exchange_->waits && *exchange_->waits) {
        return answer_now(no_worker(deadline_ - exchange_->complete));
    }
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
