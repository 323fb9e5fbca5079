// SPDX-License-Identifier: Apache-2.0
#include "metrics_service.hpp"
#include "host_metrics.hpp"

#include "metrics/exposition.hpp"
#include "metrics/http_figures.hpp"

namespace weir::cli {

namespace {

metrics::HttpFigures figures_of(const HttpService &http, const metrics::HttpCounts &answers) {
    const http::Statistics now = http.statistics();
    return {now.connections, now.streams, now.queued, now.body_bytes, now.accepted, now.refused, answers.figures()};
}

http::RouteDescription description() {
    http::RouteDescription about;
    about.operation_id = "getMetrics";
    about.summary = "Counts and figures of this host in Prometheus's text format";
    about.tag = "operations";
    about.answers = {{200, "Metrics; docs/operations.md has what each means", "text/plain", R"({"type":"string"})"}};
    return about;
}

} // namespace

void serve_metrics(HttpService &http, const engine::Supervisor &supervisor, RefusalCounts refused, Sampler &sampler,
                   const store::Store &store, std::size_t pool_max) {
    const auto answers = std::make_shared<metrics::HttpCounts>();
    http.observe([answers](const http::Served &served) {
        answers->observe(served.listener, served.route, http::text_of(served.method), served.status,
                         std::chrono::duration<double>(served.duration).count());
    });
    HostMetrics::Sources sources;
    sources.status = [&supervisor] { return supervisor.status(); };
    sources.work = [&supervisor] { return supervisor.work(); };
    sources.refused_plugins = std::move(refused.plugins);
    sources.refused_configuration = std::move(refused.configuration);
    sources.http = [&http, answers] { return figures_of(http, *answers); };
    sources.pool_max = pool_max;
    const auto figures = std::make_shared<const HostMetrics>(std::move(sources), sampler, store);
    http::Route route;
    route.pattern = "/metrics";
    route.handler = [figures](const http::Request &) {
        http::Response response = http::Response::text(200, figures->text());
        response.headers.set("Content-Type", metrics::kContentType);
        return response;
    };
    route.options.runs = http::Runs::reserve;
    route.options.produces.clear(); // whatever a scraper would like best, it takes this
    route.options.etag = false;
    route.description = description();
    route.owner = "operations";
    http.add_operation(std::move(route));
}

} // namespace weir::cli
