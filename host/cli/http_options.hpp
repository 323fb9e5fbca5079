// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/config.hpp"
#include "http/server.hpp"

#include <vector>

namespace weir::cli {

inline constexpr const char *kPublicListener = "public";
inline constexpr const char *kOperationsListener = "operations";

/// What clients may use up, as configured.
http::Limits limits_of(const config::HttpConfig &config);

/// Where to listen: nowhere, at one address for everything, or at one more for operations.
std::vector<http::ListenerOptions> listeners_of(const config::HttpConfig &config);

} // namespace weir::cli
