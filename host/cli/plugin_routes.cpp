// SPDX-License-Identifier: Apache-2.0
#include "cli/plugin_routes.hpp"

#include "engine/overdue_routes.hpp"
#include "http/handler_watch.hpp"
#include "http/problem.hpp"
#include "log/log.hpp"

#include <algorithm>
#include <limits>
#include <set>

namespace weir::cli {

namespace {

using Service = std::shared_ptr<engine::RouteService>;

http::Method method_of(std::uint32_t method) {
    switch (method) {
    case WEIR_HTTP_POST:
        return http::Method::post;
    case WEIR_HTTP_PUT:
        return http::Method::put;
    case WEIR_HTTP_PATCH:
        return http::Method::patch;
    case WEIR_HTTP_DELETE:
        return http::Method::delete_;
    default:
        return http::Method::get;
    }
}

engine::RouteRequest::Fields fields_of(const std::vector<http::Parameter> &parameters) {
    engine::RouteRequest::Fields fields;
    for (const http::Parameter &parameter : parameters) {
        fields.emplace_back(parameter.name, parameter.value);
    }
    return fields;
}

/// Views into the request.
engine::RouteRequest request_of(const http::Request &from) {
    engine::RouteRequest request;
    request.path = from.path;
    request.query_text = from.query;
    request.body = from.body;
    request.content_type = from.headers.find("content-type").value_or("");
    request.variables = fields_of(from.path_parameters);
    request.query = fields_of(from.parameters);
    for (const http::Header &header : from.headers.all()) {
        request.headers.emplace_back(header.name, header.value);
    }
    request.deadline = from.deadline;
    request.correlation_id = from.headers.find("x-correlation-id").value_or("");
    return request;
}

http::Response response_of(engine::RouteAnswer answer) {
    http::Response response;
    if (answer.is_problem) {
        http::Problem problem;
        problem.status = answer.status;
        problem.detail = std::move(answer.detail);
        problem.members.emplace_back("code", http::json_string(answer.code));
        problem.retry_after = answer.retry_after;
        response = problem.response();
    } else {
        response.status = answer.status;
        if (!answer.content_type.empty()) {
            response.headers.set("Content-Type", answer.content_type);
        }
        response.body = std::move(answer.body);
    }
    for (const auto &[name, value] : answer.headers) {
        response.headers.set(name, value);
    }
    return response;
}

/// Tells a domain of its routes' handlers that don't return.
class OverdueWatch final : public http::HandlerWatch {
public:
    explicit OverdueWatch(Service service) : service_(std::move(service)) {}
    void left_behind(const http::Route &route) override { service_->overdue().left_behind(name_of(route)); }
    void returned(const http::Route &route) override { service_->overdue().returned(name_of(route)); }
    bool full() const override { return service_->overdue().full(); }
    http::Response refusal() const override { return response_of(service_->overdue().refusal()); }
    const void *group() const noexcept override { return service_.get(); }

private:
    static std::string name_of(const http::Route &route) { return std::string(http::text_of(route.method)) + " " + route.pattern; }

    const Service service_;
};

/// Routes of GET are answered before `answer` returns.
engine::RouteAnswer read(const Service &service, const plugin::Route &route, const engine::RouteRequest &request) {
    engine::RouteAnswer answer;
    service->answer(route, request, [&](engine::RouteAnswer given) { answer = std::move(given); });
    return answer;
}

/// One run of the route for all who listen, as often as it says.
http::Handler stream_of(const engine::Retirement &retirement, const Service &service, const plugin::Route &route) {
    http::EventChannelOptions options;
    options.every = route.max_age;
    options.max_streams = std::numeric_limits<std::size_t>::max(); // the server bounds them
    options.pull = [service, &route, last = std::string()]() mutable -> std::optional<http::ServerEvent> {
        engine::RouteRequest request;
        request.path = route.path;
        engine::RouteAnswer answer = read(service, route, request);
        if (answer.is_problem || answer.status >= 300 || answer.body == last) {
            return std::nullopt;
        }
        last = answer.body;
        return http::ServerEvent{std::move(answer.body), "", ""};
    };
    // It ends with its table, perhaps on a thread that reads and writes connections; and its own thread may be waiting for the store then.
    const auto channel = retirement.hand_out(std::make_unique<http::EventChannel>(std::move(options)));
    return [channel](const http::Request &) { return http::Response::events(channel->subscribe()); };
}

/// What a route may be answered with, by what is known of it. What else a plugin says is a problem as well: "default".
std::vector<http::RouteDescription::Answer> answers_of(const plugin::Route &route) {
    std::vector<http::RouteDescription::Answer> answers;
    const auto problem = [&answers](bool applies, int status, const char *when) {
        if (applies) {
            answers.push_back({status, when, "application/problem+json", R"({"$ref":"#/components/schemas/Problem"})"});
        }
    };
    const bool reads = route.method == WEIR_HTTP_GET;
    const bool is_post = route.method == WEIR_HTTP_POST;
    const bool has_body = !reads && route.method != WEIR_HTTP_DELETE;
    if (reads) {
        answers.push_back({200, route.events ? "Events, as they come" : "What was asked for", route.produces, ""});
    } else {
        answers.push_back({2, "It is done", route.produces, ""});
    }
    if (reads && !route.events) {
        answers.push_back({304, "It is what If-None-Match names", "", ""});
    }
    problem(!reads, 400, is_post ? "The body, or the Idempotency-Key, is malformed" : "The request is malformed");
    problem(route.guarded, 401, "The bearer token is missing, or not the right one");
    problem(route.guarded, 403, "Only local requests are let in");
    problem(route.path.find('{') != std::string::npos, 404, "There is nothing that the path names");
    problem(true, 406, "Accept leaves out what the route answers with");
    problem(!reads, 409, "It doesn't go with what is stored");
    problem(!reads && !is_post, 412, "If-Match names another version");
    problem(has_body, 413, "The body is too large");
    problem(has_body, 415, "The body is of another media type");
    problem(!reads, 422,
            is_post ? "What the body says is refused, or the Idempotency-Key came with another request" : "What is asked for is refused");
    problem(!reads && !is_post, 428, "If-Match is missing");
    problem(true, 500, "The plugin has a fault");
    problem(!reads, 502, "The broker refuses what is to be published");
    problem(true, 503, "The store, the broker or the host can't now: try again");
    problem(!route.events, 504, "It took too long");
    return answers;
}

http::RouteDescription description_of(const Service &service, const plugin::Route &route) {
    http::RouteDescription description;
    description.operation_id = service->spec().name + "_" + plugin::route_name(route);
    std::replace_if(
        description.operation_id.begin(), description.operation_id.end(),
        [](char c) { return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')); }, '_');
    description.summary = route.summary;
    description.tag = service->spec().name;
    if (route.method != WEIR_HTTP_GET && route.method != WEIR_HTTP_DELETE) {
        description.request_media_type = route.consumes;
    }
    if (route.method == WEIR_HTTP_POST) {
        description.fields.push_back({"Idempotency-Key", "header", "Repeated under the same key, the request takes effect once",
                                      R"({"type":"string","minLength":1,"maxLength":255})", false});
    }
    if (route.method == WEIR_HTTP_GET && !route.events) {
        description.fields.push_back(
            {"If-None-Match", "header", "The ETag of an answer that is there already", R"({"type":"string"})", false});
    }
    if (route.method == WEIR_HTTP_PUT || route.method == WEIR_HTTP_PATCH || route.method == WEIR_HTTP_DELETE) {
        description.fields.push_back(
            {"If-Match", "header",
             "The ETag of the version that is to be changed: 412 where it is another by now. Some routes want it: 428",
             R"({"type":"string"})", false});
    }
    for (std::size_t at = route.path.find('{'); at != std::string::npos; at = route.path.find('{', at + 1)) {
        const std::size_t end = route.path.find_first_of(".}", at);
        description.fields.push_back({route.path.substr(at + 1, end - at - 1), "path", "", R"({"type":"string"})", true});
    }
    description.answers = answers_of(route);
    return description;
}

/// Paths may differ in what an operation id has no characters for: /a-b and /a/b.
void make_unique(std::string &id, std::set<std::string> &taken) {
    const std::string wanted = id;
    for (int number = 2; !taken.insert(id).second; ++number) {
        id = wanted + "_" + std::to_string(number);
    }
}

http::Route route_of(const engine::Retirement &retirement, const Service &service, const plugin::Route &route) {
    http::Route made;
    made.method = method_of(route.method);
    made.pattern = route.path;
    made.owner = "plugin " + service->module().description().name + " (domain " + service->spec().name + ")";
    made.options.access = route.guarded ? http::Access::guarded : http::Access::open;
    made.options.timeout = service->spec().options.handler_budget;
    made.options.timeout_key = "engine.handler_budget_ms of domain " + service->spec().name;
    made.options.watch = std::make_shared<OverdueWatch>(service);
    made.options.consumes = {route.consumes};
    made.options.produces = {route.produces};
    made.options.content_security_policy = route.content_security_policy;
    if (route.max_body_bytes != 0) {
        made.options.max_body_bytes = route.max_body_bytes;
    }
    made.description = description_of(service, route);
    if (route.events) {
        made.options.events = true;
        made.handler = stream_of(retirement, service, route);
    } else if (route.method == WEIR_HTTP_GET) {
        made.options.max_age = route.max_age;
        made.options.private_answer = route.max_age.count() == 0; // it may be about who asks
        made.handler = [service, &route](const http::Request &request) {
            const engine::RouteRequest asked = request_of(request);
            http::Response response = response_of(read(service, route, asked));
            response.for_any_query = !asked.query_read;
            return response;
        };
    } else {
        made.async = [service, &route](const std::shared_ptr<const http::Request> &request, const http::Reply &reply) {
            service->answer(route, request_of(*request),
                            [service, reply](engine::RouteAnswer answer) { reply(response_of(std::move(answer))); });
        };
    }
    return made;
}

} // namespace

std::vector<http::Route> plugin_routes(const engine::RouteBoard &board, std::set<std::string> *shadowed) {
    std::set<std::string> now;
    std::vector<http::Route> routes;
    std::set<std::string> operation_ids;
    for (const engine::RouteBoard::Entry &entry : board.entries()) {
        if (entry.is_answered) {
            routes.push_back(route_of(board.retirement(), entry.service, *entry.route));
            make_unique(routes.back().description.operation_id, operation_ids);
        } else if (shadowed != nullptr) {
            const std::string &domain = entry.service->spec().name;
            const std::string route = plugin::route_name(*entry.route);
            if (!shadowed->contains(*now.insert(domain + " " + entry.answers + " " + route).first)) {
                log::info("route.shadowed", "Two domains have the same route; one of them answers",
                          {{"route", route}, {"domain", domain}, {"answers", entry.answers}});
            }
        }
    }
    if (shadowed != nullptr) {
        *shadowed = std::move(now);
    }
    return routes;
}

} // namespace weir::cli
