// SPDX-License-Identifier: Apache-2.0
// From a request's header to its body's end.
#include "http/exchange.hpp"

#include "http/access.hpp"
#include "http/media_type.hpp"
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

Response starting() {
    Problem early;
    early.status = 503;
    early.type = problem_types::kStarting;
    early.detail = "The host is starting: its routes are not there yet";
    early.retry_after = std::chrono::seconds(1);
    return early.response();
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

Response overloaded(std::string detail, std::chrono::seconds retry_after) {
    Problem full;
    full.status = 503;
    full.type = problem_types::kOverloaded;
    full.detail = std::move(detail);
    full.retry_after = retry_after;
    return full.response();
}

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

} // namespace weir::http
