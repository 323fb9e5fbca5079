// SPDX-License-Identifier: Apache-2.0
#include "cli/http_options.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace weir::cli {

http::Limits limits_of(const config::HttpConfig &config) {
    http::Limits limits;
    limits.max_body_bytes = config.max_body_bytes;
    limits.max_header_bytes = config.max_header_bytes;
    limits.max_connections = config.max_connections;
    limits.max_connections_per_address = config.max_connections_per_address;
    limits.max_body_memory_bytes = config.max_body_memory_bytes;
    limits.max_requests_per_connection = config.max_requests_per_connection;
    limits.max_event_streams = config.max_event_streams;
    limits.max_event_streams_per_address = config.max_event_streams_per_address;
    limits.max_queue = config.max_queue;
    limits.header_timeout_ms = static_cast<std::uint32_t>(config.header_timeout_ms);
    limits.body_timeout_ms = static_cast<std::uint32_t>(config.body_timeout_ms);
    limits.idle_timeout_ms = static_cast<std::uint32_t>(config.idle_timeout_ms);
    limits.write_timeout_ms = static_cast<std::uint32_t>(config.write_timeout_ms);
    limits.handler_timeout_ms = static_cast<std::uint32_t>(config.handler_timeout_ms);
    return limits;
}

std::vector<http::ListenerOptions> listeners_of(const config::HttpConfig &config) {
    std::vector<http::ListenerOptions> listeners;
    const std::array<const std::string *, 2> addresses{&config.listen, &config.operations_listen};
    constexpr std::array<const char *, 2> kNames{kPublicListener, kOperationsListener};
    constexpr std::array<const char *, 2> kKeys{"http.listen", "http.operations.listen"};
    for (std::size_t index = 0; index < 2; ++index) {
        if (!addresses[index]->empty()) {
            http::ListenerOptions listener;
            listener.name = kNames[index];
            listener.address = *addresses[index];
            listener.config_key = kKeys[index];
            listener.token = config.operations_token;
            listener.trust_local = config.operations_trust_local;
            listener.host_names = config.host_names;
            listener.cors_origins = config.cors_origins;
            listener.reserve_only = index == 1;
            listener.reserve_connections = index == 1 || config.operations_listen.empty() ? config.reserve_connections : 0;
            listeners.push_back(std::move(listener));
        }
    }
    return listeners;
}

} // namespace weir::cli
