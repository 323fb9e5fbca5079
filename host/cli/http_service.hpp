// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/config.hpp"
#include "http/server.hpp"
#include "operations/operations.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

/// The host's HTTP server as configured: one listener for everything, or one for plugins' routes and one for operations. Does nothing where
/// both are off. Thread-safe after `start`.
class HttpService {
public:
    /// @param sources see `operations::Sources`; `stalled_after` is taken from the configuration
    HttpService(const config::HttpConfig &config, operations::Sources sources);
    ~HttpService();
    HttpService(const HttpService &) = delete;
    HttpService &operator=(const HttpService &) = delete;

    bool on() const { return server_.has_value(); }

    /// Adds a route to operations, such as /metrics. Before `start`.
    void add_operation(http::Route route);

    /// Replaces the routes of all plugins at once; event streams of the old ones end. @return why some of them can't be served: conflicts
    /// with the host's, or with those before them. These are left out, and the others served from now on
    std::vector<std::string> set_plugin_routes(std::vector<http::Route> routes);

    /// Shapes of the host's own routes where plugins' are served beside them (`plugin::route_shape`), and who has them.
    std::map<std::string, std::string> host_shapes() const;

    /// Every domain has begun: from now on a path that nobody serves is a 404, and not a 503 that asks to come again.
    void started();

    /// Listens. Throws Failure of Exit::configuration, naming the key, where an address can't be had.
    void start();

    /// What a changed configuration changes without a restart: limits, token, origins, host names; the rest is said in the log.
    void take_over(const config::HttpConfig &config);

    /// /ready answers 503 from now on, so that nobody sends anything more, and so do paths that aren't served any more.
    void stopping();

    /// Lets requests that run end within http.stop_timeout_ms. @return false where one still runs
    bool stop();

    /// How often what was answered, and how much is under way: for metrics.
    http::Statistics statistics() const;
    /// Called for each answer; before `start`. Any thread.
    void observe(std::function<void(const http::Served &)> call);

private:
    std::vector<http::Route> public_routes() const;
    std::vector<http::Route> own_public_routes() const;
    std::vector<std::string> leave_out_conflicts();
    std::vector<std::string> rebuild();

    config::HttpConfig config_; ///< that it began with
    config::HttpConfig last_;   ///< that was taken over last
    std::shared_ptr<const operations::Sources> sources_;
    std::shared_ptr<operations::Readiness> readiness_;
    http::ServerOptions options_;
    std::vector<http::Route> operations_;
    std::mutex mutex_; ///< guards what follows, but for the server
    std::vector<http::Route> plugins_;
    bool started_ = false;
    std::optional<http::Server> server_;
};

} // namespace weir::cli
