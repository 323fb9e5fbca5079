// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "broker/broker.hpp"
#include "engine/domain.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::metrics {

/// What a process takes of its machine. Bytes and seconds; what the kernel doesn't tell is 0.
struct ProcessFigures {
    double cpu_seconds = 0;
    double start_time_seconds = 0; ///< since 1970
    std::uint64_t resident_bytes = 0;
    std::uint64_t virtual_bytes = 0;
    std::uint64_t open_files = 0;
    std::uint64_t max_files = 0; ///< 0: no limit
};

/// Of the calling process, from /proc.
ProcessFigures process_figures();

/// The connections of a store that is a server.
struct PoolFigures {
    std::size_t max = 0;
    std::size_t in_use = 0;
    std::size_t idle = 0;
    std::size_t waiting = 0; ///< threads that wait for one
    std::uint64_t opened = 0;
    std::uint64_t dropped = 0;
};

/// A domain, and what its broker and its store say of it; nothing where they can't be asked.
struct DomainFigures {
    engine::DomainStatus status;
    std::size_t in_hand = 0; ///< see engine::WorkInHand::events
    std::optional<std::vector<broker::PartitionLag>> lag;
    std::optional<std::uint64_t> unread; ///< of `lag`, the backlog of partitions that this host reads
    std::optional<store::Figures> store;
};

/// One route's answers with one status, by method.
struct RouteFigures {
    std::string listener;
    std::string route; ///< the pattern; empty: none matched
    std::string method;
    int status = 0;
    engine::Histogram seconds;
};

struct HttpFigures {
    std::size_t connections = 0;
    std::size_t streams = 0;
    std::size_t queued = 0;
    std::size_t body_bytes = 0; ///< of requests, in memory
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;
    std::vector<RouteFigures> routes;
};

/// What a host knows of itself at one moment.
struct Figures {
    std::string version;           ///< of Weir
    std::string abi_version;       ///< "1.0"
    bool ready = false;            ///< every domain is
    double sample_age_seconds = 0; ///< since the last answer of the broker or store that answered longest ago
    std::vector<DomainFigures> domains;
    std::optional<PoolFigures> pool;
    std::optional<HttpFigures> http;
    std::size_t refused_plugins = 0;
    bool configuration_refused = false; ///< what was read last is wrong, and the one before goes on
    ProcessFigures process;
};

} // namespace weir::metrics
