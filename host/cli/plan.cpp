// SPDX-License-Identifier: Apache-2.0
#include "cli/plan.hpp"

#include "log/log.hpp"

namespace weir::cli {

engine::Options options_of(const config::EngineConfig &config) {
    engine::Options options;
    options.batch_max_events = config.batch_max_events;
    options.batch_max_bytes = config.batch_max_bytes;
    options.read_max_events = config.read_max_events;
    options.read_wait = std::chrono::milliseconds(config.read_wait_ms);
    options.retry_delays.clear();
    for (const std::uint32_t delay : config.retry_delays_ms) {
        options.retry_delays.emplace_back(delay);
    }
    options.max_retries = config.max_retries;
    options.shards = config.shards;
    options.hold_max_events = config.hold_max_events;
    options.hold_max_bytes = config.hold_max_bytes;
    options.handler_budget = std::chrono::milliseconds(config.handler_budget_ms);
    options.crash_limit = config.crash_limit;
    options.lease_time_to_live = std::chrono::milliseconds(config.lease_ttl_ms);
    options.drain_timeout = std::chrono::milliseconds(config.drain_timeout_ms);
    options.ledger_horizon = std::chrono::hours(config.ledger_horizon_hours);
    return options;
}

engine::DomainRequest request_of(const config::DomainConfig &config) {
    engine::DomainRequest request;
    request.name = config.name;
    request.service_name = config.service_name;
    request.plugin = config.plugin;
    request.schema = config.schema;
    request.group = config.group;
    request.topics = config.topics;
    request.parallel = config.parallel;
    request.bindings = config.bindings;
    request.settings_json = config.settings_json;
    request.settings_set_by = config.settings_set_by;
    request.options = options_of(config.engine);
    return request;
}

engine::Plan plan_of(const config::HostConfig &config) {
    engine::Plan plan;
    for (const config::DomainConfig &domain : config.domains) {
        if (domain.enabled) {
            plan.domains.push_back(request_of(domain));
            plan.domains.back().broker = domain.broker_url == config.broker_url ? "" : domain.broker_url;
        } else {
            plan.disabled.insert(domain.name);
        }
    }
    plan.plugin_defaults = config.plugin_defaults;
    if (config.broker_url.empty()) {
        plan.defaults_refused =
            "no broker: the domain files name different servers with redis.url, and this domain has no file; write one, set "
            "broker.url in the host file for all, or \"plugins\": {\"serve_defaults\": false}";
    }
    plan.default_plugin = config.default_plugin;
    plan.default_options = options_of(config.engine);
    return plan;
}

void configure_log(const config::HostConfig &config) {
    log::Level level = log::Level::info;
    log::parse_level(config.log_level, level);
    log::configure(level, config.log_format == "json"   ? log::Format::json
                          : config.log_format == "text" ? log::Format::text
                                                        : log::Format::automatic);
}

} // namespace weir::cli
