// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http_service.hpp"
#include "sampler.hpp"

#include "engine/supervisor.hpp"

#include <cstddef>
#include <functional>

namespace weir::cli {

/// How much isn't taken.
struct RefusalCounts {
    std::function<std::size_t()> plugins;       ///< files of the plugin directory
    std::function<std::size_t()> configuration; ///< what is wrong with a changed configuration
};

/// Serves `/metrics` among the operations of a host, and counts its answers. Before the server starts. What it refers to outlives the
/// server.
/// @param pool_max store.pool.max
void serve_metrics(HttpService &http, const engine::Supervisor &supervisor, RefusalCounts refused, Sampler &sampler,
                   const store::Store &store, std::size_t pool_max);

} // namespace weir::cli
