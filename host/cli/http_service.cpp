// SPDX-License-Identifier: Apache-2.0
#include "cli/http_service.hpp"

#include "cli/command.hpp"
#include "cli/http_options.hpp"
#include "http/problem.hpp"
#include "log/log.hpp"
#include "plugin/route.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <sys/resource.h>
#include <utility>

namespace weir::cli {

namespace {

constexpr unsigned kReserveWorkers = 4;           // those that ask a store which is away keep /health from nobody
constexpr std::uint64_t kOtherDescriptors = 1024; // of stores, brokers, plugins, files

/// As many descriptors as connections may need, where the machine lets us have them; else as many connections as leave some for others.
void fit_descriptors(const config::HttpConfig &config, http::Limits &limits) {
    rlimit limit{};
    const rlim_t others = kOtherDescriptors + config.reserve_connections;
    const rlim_t wanted = limits.max_connections + others;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        limits.max_connections = limit.rlim_cur > 2 * others ? limit.rlim_cur - others : std::max<rlim_t>(limit.rlim_cur / 2, 1);
        limits.max_connections_per_address =
            std::min(limits.max_connections_per_address, std::max<std::size_t>(limits.max_connections / 2, 1));
        log::warn("http.few_descriptors",
                  "The process may open fewer files than http.max_connections needs, and takes fewer connections: raise RLIMIT_NOFILE, or "
                  "lower the key",
                  {{"allowed", limit.rlim_cur}, {"needed", wanted}, {"connections", limits.max_connections}});
    }
}

/// Equal for routes that match the same requests.
std::string shape_of(const http::Route &route) { return std::string(http::text_of(route.method)) + plugin::route_shape(0, route.pattern); }

/// What is asked for may be served in a moment, or by another host. A plugin that answers everything does so from the beginning.
void add_not_now(std::vector<http::Route> &routes) {
    std::set<std::string> shapes;
    for (const http::Route &route : routes) {
        shapes.insert(shape_of(route));
    }
    for (const http::Method method :
         {http::Method::get, http::Method::post, http::Method::put, http::Method::patch, http::Method::delete_}) {
        http::Route route;
        route.method = method;
        route.pattern = "/{path...}";
        route.owner = "the host, while it starts and stops";
        route.options.consumes = {};
        route.options.produces = {};
        route.options.runs = http::Runs::at_once;
        route.description.hidden = true;
        route.handler = [](const http::Request &) {
            http::Problem problem;
            problem.status = 503;
            problem.detail = "the host does not serve all of its domains now; /ready says why";
            problem.retry_after = std::chrono::seconds(1);
            return problem.response();
        };
        if (!shapes.contains(shape_of(route))) {
            routes.push_back(std::move(route));
        }
    }
}

} // namespace

HttpService::HttpService(const config::HttpConfig &config, operations::Sources sources) : config_(config), last_(config) {
    sources.stalled_after = std::chrono::milliseconds(config.stalled_after_ms);
    options_.listeners = listeners_of(config);
    options_.limits = limits_of(config);
    options_.io_threads = static_cast<unsigned>(config.io_threads);
    options_.workers = static_cast<unsigned>(config.workers);
    options_.reserve_workers = kReserveWorkers;
    options_.failed = [](std::string_view route, std::string_view reason) {
        log::error("http.handler_failed", "A route's handler failed; its client got a 500", {{"route", route}, {"reason", reason}});
    };
    options_.trouble = [](std::string_view reason) {
        log::error("http.not_accepting", "Connections can't be taken for now; they wait", {{"reason", reason}});
    };
    options_.full = [](std::string_view key, std::string_view address) {
        log::warn("http.connections_full", "Connections are refused: there are as many as the key allows",
                  {{"key", key}, {"address", address}});
    };
    options_.streams_full = [](std::string_view key, std::string_view address) {
        log::warn("http.streams_full", "Event streams are refused: there are as many as the key allows",
                  {{"key", key}, {"address", address}});
    };
    if (!options_.listeners.empty()) {
        sources_ = std::make_shared<const operations::Sources>(std::move(sources));
        readiness_ = std::make_shared<operations::Readiness>(sources_);
        operations_ = operations::routes(sources_, readiness_);
    }
}

HttpService::~HttpService() = default;

void HttpService::add_operation(http::Route route) {
    if (sources_) {
        operations_.push_back(std::move(route));
    }
}

void HttpService::observe(std::function<void(const http::Served &)> call) { options_.observe = std::move(call); }

std::vector<http::Route> HttpService::public_routes() const {
    std::vector<http::Route> all = plugins_;
    if (config_.operations_listen.empty()) {
        all.insert(all.end(), operations_.begin(), operations_.end());
    }
    if (!started_) {
        add_not_now(all);
    }
    return operations::with_document(std::move(all), "Weir", sources_->version);
}

/// The host's own routes of the public listener: operations where they have no other, and the document in any case.
std::vector<http::Route> HttpService::own_public_routes() const {
    return operations::with_document(config_.operations_listen.empty() ? operations_ : std::vector<http::Route>(), "Weir",
                                     sources_->version);
}

std::map<std::string, std::string> HttpService::host_shapes() const {
    std::map<std::string, std::string> shapes;
    if (sources_) {
        for (const http::Route &route : own_public_routes()) {
            shapes.emplace(shape_of(route), "operations");
        }
    }
    return shapes;
}

/// Leaves out those of plugins that can't be served beside the host's and those before them, so that the others are. @return why. With the
/// mutex held.
std::vector<std::string> HttpService::leave_out_conflicts() {
    std::vector<http::Route> all = own_public_routes();
    const std::size_t own = all.size();
    all.insert(all.end(), plugins_.begin(), plugins_.end());
    http::Routes::Built built = http::Routes::build(std::move(all));
    for (auto refused = built.refused.rbegin(); refused != built.refused.rend() && *refused >= own; ++refused) {
        plugins_.erase(plugins_.begin() + static_cast<std::ptrdiff_t>(*refused - own));
    }
    return std::move(built.problems);
}

void HttpService::started() {
    if (readiness_) {
        readiness_->started();
    }
    const std::lock_guard lock(mutex_);
    started_ = true;
    if (server_) {
        rebuild();
    }
}

/// With the mutex held.
std::vector<std::string> HttpService::rebuild() {
    if (config_.listen.empty()) {
        return {};
    }
    http::Routes::Built built = http::Routes::build(public_routes());
    if (!built.routes) {
        std::vector<std::string> problems = leave_out_conflicts();
        built = http::Routes::build(public_routes());
        built.problems = std::move(problems);
    }
    if (built.routes) {
        server_->set_routes(kPublicListener, built.routes);
    }
    return built.problems;
}

std::vector<std::string> HttpService::set_plugin_routes(std::vector<http::Route> routes) {
    const std::lock_guard lock(mutex_);
    plugins_.swap(routes);
    return server_ ? rebuild() : std::vector<std::string>();
}

void HttpService::start() {
    if (options_.listeners.empty()) {
        return;
    }
    fit_descriptors(config_, options_.limits);
    server_.emplace(options_);
    {
        const std::lock_guard lock(mutex_);
        for (const std::string &problem : rebuild()) {
            log::error("http.routes_refused", "A plugin's route can't be served beside others, and is left out", {{"reason", problem}});
        }
    }
    if (!config_.operations_listen.empty()) {
        const http::Routes::Built built =
            http::Routes::build(operations::with_document(operations_, "Operations of Weir", sources_->version));
        server_->set_routes(kOperationsListener, built.routes);
    }
    try {
        server_->start();
    } catch (const http::ListenFailure &failure) {
        throw Failure(Exit::configuration, failure.what());
    }
    for (const http::ListenerOptions &listener : options_.listeners) {
        const std::string host = listener.address.substr(0, listener.address.rfind(':'));
        log::info("http.listening", "HTTP is served",
                  {{"listener", listener.name}, {"address", host + ":" + std::to_string(server_->port(listener.name))}});
    }
}

void HttpService::take_over(const config::HttpConfig &config) {
    if (config == last_) {
        return;
    }
    last_ = config;
    const std::array<std::pair<const char *, bool>, 6> fixed{
        {{"http.listen", config.listen != config_.listen},
         {"http.operations.listen", config.operations_listen != config_.operations_listen},
         {"http.operations.stalled_after_ms", config.stalled_after_ms != config_.stalled_after_ms},
         {"http.io_threads", config.io_threads != config_.io_threads},
         {"http.workers", config.workers != config_.workers},
         {"http.stop_timeout_ms", config.stop_timeout_ms != config_.stop_timeout_ms}}};
    for (const auto &[key, differs] : fixed) {
        if (differs) {
            log::warn("config.needs_restart", "This key is taken over at the next start; the other changes are taken over now",
                      {{"key", key}});
        }
    }
    if (server_) {
        config::HttpConfig in_place = config; // what there is stays where it is, and learns the rest
        in_place.listen = config_.listen;
        in_place.operations_listen = config_.operations_listen;
        const std::vector<http::ListenerOptions> listeners = listeners_of(in_place);
        http::Limits limits = limits_of(config);
        fit_descriptors(config, limits);
        server_->reconfigure(limits, listeners);
    }
}

void HttpService::stopping() {
    if (readiness_) {
        readiness_->stopping();
    }
    const std::lock_guard lock(mutex_);
    started_ = false;
    if (server_) {
        rebuild();
    }
}

bool HttpService::stop() { return !server_ || server_->stop(std::chrono::milliseconds(config_.stop_timeout_ms)); }

http::Statistics HttpService::statistics() const { return server_ ? server_->statistics() : http::Statistics(); }

} // namespace weir::cli
