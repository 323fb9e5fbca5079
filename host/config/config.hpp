// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "event/binding.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

/// How events are taken; host-wide defaults that a domain may override key by key.
struct EngineConfig {
    std::uint32_t batch_max_events = 800;
    std::uint64_t batch_max_bytes = 4u << 20;
    std::uint32_t read_max_events = 0; ///< 0: batch_max_events
    std::uint32_t read_wait_ms = 250;
    std::vector<std::uint32_t> retry_delays_ms{1000, 2000, 3000}; ///< the last one repeats
    std::uint32_t max_retries = 3;
    std::uint32_t shards = 2;              ///< batches of a domain under way at once
    std::uint32_t hold_max_events = 10000; ///< events held back behind retries; at the bound the domain stops reading
    std::uint64_t hold_max_bytes = 64u << 20;
    std::uint32_t handler_budget_ms = 1000;
    std::uint32_t crash_limit = 3;
    std::uint32_t lease_ttl_ms = 10000;
    std::uint32_t drain_timeout_ms = 30000;
    std::uint32_t ledger_horizon_hours = 168; ///< 0: for ever
};

/// One domain, as configured. Empty texts: the plugin's default for its domain.
struct DomainConfig {
    std::string name;
    bool enabled = true;      ///< false: not served, not even where a plugin offers it
    std::string service_name; ///< "service.name", else the domain's; the consumer's name begins with it
    std::string plugin;       ///< empty: the plugin that offers a domain of this name, else the host's default_plugin
    std::string schema;
    std::string group;
    std::vector<std::string> topics;
    std::string broker_url;        ///< the broker that has its topics: the host's, else its own redis.url
    std::string broker_url_set_by; ///< see HostConfig::store_url_set_by
    std::optional<bool> parallel;
    std::vector<event::Binding> bindings;     ///< override those of the plugin, topic by topic
    std::string settings_json = "{}";         ///< handed to the plugin
    std::vector<std::string> settings_set_by; ///< variables whose values it holds
    EngineConfig engine;
    std::filesystem::path file; ///< where it came from; empty: the host file
};

/// How a store that is a server is used.
struct StoreConfig {
    std::uint32_t pool_min = 1;
    std::uint32_t pool_max = 16;
    bool roles = true;
    std::uint32_t statement_timeout_ms = 30000;
    std::uint32_t lock_timeout_ms = 5000;
};

/// The HTTP server. Addresses: empty is off.
struct HttpConfig {
    std::string listen;            ///< of plugins' routes, and of operations where they have none of their own
    std::string operations_listen; ///< of operations alone
    std::string operations_token;  ///< of the configuration, or of the file
    std::filesystem::path operations_token_file;
    bool operations_trust_local = true;
    std::vector<std::string> host_names;
    std::vector<std::string> cors_origins;
    std::uint64_t stalled_after_ms = 30000; ///< not ready where there was work for so long, and none of it was settled
    std::uint64_t max_body_bytes = 1u << 20;
    std::uint64_t max_header_bytes = 16u << 10;
    std::uint64_t max_connections = 12000;
    std::uint64_t max_connections_per_address = 6000; ///< half of max_connections where it isn't set; 0: no bound
    std::uint64_t max_body_memory_bytes = 64u << 20;
    std::uint64_t reserve_connections = 64; ///< of operations
    std::uint64_t max_requests_per_connection = 100000;
    std::uint64_t max_event_streams = 2000;
    std::uint64_t max_event_streams_per_address = 1000; ///< half of max_event_streams where it isn't set; 0: no bound
    std::uint64_t max_queue = 1024;
    std::uint64_t header_timeout_ms = 10000;
    std::uint64_t body_timeout_ms = 30000;
    std::uint64_t idle_timeout_ms = 60000;
    std::uint64_t write_timeout_ms = 30000;
    std::uint64_t handler_timeout_ms = 10000;
    std::uint64_t stop_timeout_ms = 5000;
    std::uint64_t io_threads = 1;
    std::uint64_t workers = 4;
    friend bool operator==(const HttpConfig &, const HttpConfig &) = default;
};

struct HostConfig {
    std::filesystem::path file;
    std::string broker_url; ///< of every domain that names no other; empty: domains have different ones, and there is none for the rest
    bool broker_from_domains = false; ///< broker.url is not set, and the domains' redis.url counts
    std::string broker_url_set_by;    ///< see store_url_set_by
    std::string store_url;
    std::string store_url_set_by; ///< the variables that its value came through: "DATABASE_URL"; empty: none, a file has it or nobody
    StoreConfig store;
    HttpConfig http;
    std::filesystem::path plugins_directory;
    std::filesystem::path domains_directory;   ///< empty: none
    std::filesystem::path state_directory;     ///< private copies of plugins, crash marks, status
    std::filesystem::path contracts_directory; ///< empty: only the built-in contracts
    std::string default_plugin = "projection"; ///< empty: a domain that no plugin claims is refused
    std::string log_level = "info";
    std::string log_format = "auto"; ///< auto, json, text
    bool plugin_defaults = true;     ///< plugins serve their default domains without any file
    std::uint32_t plugins_poll_ms = 200;
    bool plugins_inotify = true;
    EngineConfig engine;
    std::vector<DomainConfig> domains; ///< from the host file and the directory, sorted by name
};

/// One thing that is wrong: where (file and JSON pointer, or the variable's name), what, and what to write instead.
struct Problem {
    std::string where;
    std::string what;
};

/// A key of the effective configuration with where its value came from, for `config check`.
struct Setting {
    std::string key;    ///< "engine.batch_max_events", "domains.linting.group"
    std::string value;  ///< secrets masked
    std::string source; ///< "default", "configs/embedded.json", "environment WEIR_STORE_URL"
};

struct Loaded {
    HostConfig config; ///< meaningful only where `problems` is empty
    std::vector<Problem> problems;
    std::vector<Setting> settings;
    std::string fingerprint; ///< equal where the same files held the same bytes
};

/// Reads and checks everything: the host file, its domain directory, `${VAR:-default}`, overriding variables. Never throws for what files
/// hold. Relative paths are resolved against the host file's directory; those from the environment against the working directory.
/// @param environment usually the process's own; a map so that tests need not change it
Loaded load(const std::filesystem::path &host_file, const std::map<std::string, std::string> &environment);

/// One line on what a domain can rely on, for `config check`.
/// @param broker_guarantee what `Broker::guarantee` says, @param store_guarantee what `Store::guarantee` says, @param parallel the order in
/// effect, the plugin's where the configuration leaves it to it
std::string guarantee(const HostConfig &host, const DomainConfig &domain, std::string_view broker_guarantee,
                      std::string_view store_guarantee, bool parallel);

/// Where plugins lie unless configured: `../lib/weir/plugins` beside the program's directory where that is there, else `../plugins`.
std::filesystem::path default_plugins_directory();

/// A url with its password replaced, for people.
std::string masked_url(std::string_view url);

/// The process's environment.
std::map<std::string, std::string> process_environment();

} // namespace weir::config
