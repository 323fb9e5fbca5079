// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http_service.hpp"
#include "sampler.hpp"

#include "engine/supervisor.hpp"

#include <cstddef>
#include <functional>

namespace weir::cli {

/// Serves `/metrics` among the operations of a host, and counts its answers. Before the server starts. What it refers to outlives the
/// server.
/// @param refused_plugins how many files of the plugin directory aren't taken @param pool_max store.pool.max
void serve_metrics(HttpService &http, const engine::Supervisor &supervisor, std::function<std::size_t()> refused_plugins,
                   const Brokers &brokers, store::Store &store, std::size_t pool_max);

} // namespace weir::cli
