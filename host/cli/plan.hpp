// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/config.hpp"
#include "engine/supervisor.hpp"

namespace weir::cli {

/// A configuration in the engine's terms.
engine::Options options_of(const config::EngineConfig &config);
engine::DomainRequest request_of(const config::DomainConfig &config);
engine::Plan plan_of(const config::HostConfig &config);

/// Sets up the log as configured.
void configure_log(const config::HostConfig &config);

} // namespace weir::cli
