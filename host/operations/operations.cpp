// SPDX-License-Identifier: Apache-2.0
#include "operations/operations.hpp"

#include "operations/dead_letter_routes.hpp"
#include "operations/report.hpp"

#include "http/openapi.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace weir::operations {

namespace {

using http::Request;
using http::Response;
using Json = nlohmann::ordered_json;

constexpr auto kReadyTime = std::chrono::seconds(5);

http::Route route(const char *pattern, http::Handler handler, http::RouteDescription description) {
    http::Route one;
    one.pattern = pattern;
    one.handler = std::move(handler);
    one.options.runs = http::Runs::reserve;
    one.owner = "operations";
    one.description = std::move(description);
    return one;
}

Response ready(const Sources &sources, Readiness &readiness) {
    const std::vector<NotReady> faults = readiness.ask();
    if (faults.empty()) {
        return Response::json(200, dumped({{"status", "ready"}, {"domains", sources.domains().size()}}));
    }
    http::Problem problem;
    problem.status = 503;
    problem.type = "/problems/not-ready";
    problem.title = "Not ready";
    Json list = Json::array();
    for (const NotReady &fault : faults) {
        problem.detail += (problem.detail.empty() ? "" : "; ") + (fault.domain.empty() ? "" : fault.domain + ": ") + fault.reason;
        list.push_back({{"domain", fault.domain}, {"reason", fault.reason}});
    }
    problem.members.emplace_back("domains", list.dump(-1, ' ', false, Json::error_handler_t::replace));
    problem.retry_after = std::chrono::seconds(1);
    return problem.response();
}

Response domains(const Sources &sources) {
    const auto served = sources.served();
    Json list = Json::array();
    bool all_ready = true;
    for (const engine::DomainStatus &status : sources.domains()) {
        const auto how = served.find(status.name);
        list.push_back(domain_json(status, how == served.end() ? nullptr : &how->second.spec));
        all_ready = all_ready && (status.ready || status.phase == engine::Phase::stopped);
    }
    Json faults = Json::array();
    const auto refused = sources.refused_configuration ? sources.refused_configuration() : std::vector<ConfigurationFault>();
    for (const ConfigurationFault &fault : refused) {
        faults.push_back({{"where", fault.where}, {"reason", fault.reason}});
    }
    return Response::json(200, dumped({{"ready", all_ready}, {"domains", std::move(list)}, {"refused_configuration", std::move(faults)}}));
}

Response plugins(const Sources &sources) {
    Json loaded = Json::array();
    Json refused = Json::array();
    for (const PluginState &plugin : sources.plugins()) {
        (plugin.refusal_code.empty() ? loaded : refused).push_back(plugin_json(plugin));
    }
    return Response::json(200, dumped({{"plugins", std::move(loaded)}, {"refused", std::move(refused)}}));
}

Response topics(const Sources &sources) {
    Json list = Json::array();
    for (const auto &[url, broker] : sources.brokers) {
        try {
            for (const broker::TopicInfo &topic : broker->topics()) {
                list.push_back(topic_json(topic, sources.masked_url(url)));
            }
        } catch (const broker::Unavailable &failure) {
            return http::problem(503, "The broker " + sources.masked_url(url) + " doesn't answer: " + failure.what());
        } catch (const broker::Misconfigured &failure) {
            return http::problem(502, "The broker " + sources.masked_url(url) + " refuses: " + failure.what());
        }
    }
    return Response::json(200, dumped({{"topics", std::move(list)}}));
}

// A question that holds what its route doesn't know is refused before anything happens: a filter that is mistyped would list everything,
// and a mistyped dry_run would be no dry run.
http::Handler asked_rightly(http::Handler handler, const std::vector<http::RouteDescription::Field> &fields) {
    std::vector<std::string> known;
    for (const auto &field : fields) {
        if (std::string_view(field.in) == "query") {
            known.emplace_back(field.name);
        }
    }
    return [handler = std::move(handler), known = std::move(known)](const Request &request) -> Response {
        for (auto parameter = request.parameters.begin(); parameter != request.parameters.end(); ++parameter) {
            if (std::find(known.begin(), known.end(), parameter->name) == known.end()) {
                return http::problem(400, "No such parameter: " + parameter->name + "; /openapi.json lists them");
            }
            if (std::any_of(request.parameters.begin(), parameter, [&](const auto &other) { return other.name == parameter->name; })) {
                return http::problem(400, "The parameter " + parameter->name + " is given twice");
            }
        }
        return handler(request);
    };
}

} // namespace

http::RouteDescription described(const char *operation_id, const char *summary, const char *schema) {
    http::RouteDescription about;
    about.operation_id = operation_id;
    about.summary = summary;
    about.tag = "operations";
    about.answers = {{200, "As asked", "application/json", R"({"$ref":"#/components/schemas/)" + std::string(schema) + R"("})"}};
    return about;
}

Response guarded_by_store(const std::function<Response()> &work) {
    try {
        return work();
    } catch (const store::Unavailable &failure) {
        return http::problem(503, std::string("The store doesn't answer: ") + failure.what());
    } catch (const store::InDoubt &) {
        return http::problem(503, "The store's answer to the commit was lost: ask whether it was done before asking again");
    } catch (const store::RunAgain &) {
        return http::problem(409, "Others hold what this needs for too long; ask again");
    } catch (const store::SchemaWrong &failure) {
        return http::problem(500, std::string("The tables don't fit: ") + failure.what());
    }
}

std::vector<http::Route> routes(std::shared_ptr<const Sources> sources, std::shared_ptr<Readiness> readiness) {
    std::vector<http::Route> all;
    const std::string health = dumped({{"status", "ok"}, {"version", sources->version}});
    all.push_back(route(
        "/health", [health](const Request &) { return Response::json(200, health); },
        described("health", "Whether the process is alive", "Health")));
    all.back().options.runs = http::Runs::at_once;
    all.back().options.etag = false;
    http::RouteDescription readying =
        described("ready", "Whether every domain is served: its broker and the store answer, and it gets on", "Ready");
    readying.answers.push_back(
        {503, "Which domains are not, and why", "application/problem+json", R"({"$ref":"#/components/schemas/Problem"})"});
    all.push_back(route(
        "/ready", [sources, readiness](const Request &) { return ready(*sources, *readiness); }, std::move(readying)));
    all.back().options.timeout = kReadyTime;
    all.back().options.etag = false;
    all.push_back(route(
        "/api/domains", [sources](const Request &) { return domains(*sources); },
        described("listDomains", "Every domain: who serves it, how, and how it gets on", "Domains")));
    all.push_back(route(
        "/api/plugins", [sources](const Request &) { return plugins(*sources); },
        described("listPlugins", "The plugins that are loaded, and the files that are not taken", "Plugins")));
    all.push_back(route(
        "/api/topics", [sources](const Request &) { return topics(*sources); },
        described("listTopics", "The topics: how long they are, and what each group still has to do", "Topics")));
    for (http::Route &letters : dead_letter_routes(sources)) {
        all.push_back(std::move(letters));
    }
    for (http::Route &one : all) {
        if (one.pattern.starts_with("/api/")) { // whoever asks for health and readiness may add what he likes
            one.handler = asked_rightly(std::move(one.handler), one.description.fields);
        }
    }
    return all;
}

std::vector<http::Route> with_document(std::vector<http::Route> all, const std::string &title, const std::string &version) {
    http::RouteDescription about;
    about.operation_id = "openapi";
    about.summary = "This document";
    about.tag = "operations";
    about.answers = {{200, "An OpenAPI 3.1 document", "application/json", R"({"type":"object","required":["openapi","info","paths"]})"}};
    http::Route own = route(
        "/openapi.json", [](const Request &) { return Response::empty(500); }, std::move(about));
    own.options.runs = http::Runs::at_once;
    all.push_back(std::move(own));
    http::OpenApiInfo info;
    info.title = title;
    info.version = version;
    info.description = "What this host answers over HTTP. Errors are problem details (RFC 9457).";
    info.schemas = schemas();
    const std::string document = http::openapi_document(all, info);
    all.back().handler = [document](const Request &) { return Response::json(200, document); };
    return all;
}

} // namespace weir::operations
