// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/route_service.hpp"

#include <exception>
#include <string>

namespace weir::engine {

/*
 * What a client is told where its request didn't end well.
 */

/// 503, with Retry-After.
RouteAnswer try_again(std::string code, std::string detail);

/// The client has its 504, or gets it in a moment.
bool is_late(const RouteRequest &request);
/// 504: what was left to do is dropped.
RouteAnswer too_late();

/// What an exception on a request's way means for its client.
struct RouteFailure {
    RouteAnswer answer;
    std::string reason;   ///< for the log; empty: the client's own matter
    bool is_away = false; ///< the store is, for everybody
};
RouteFailure failure_of(const std::exception_ptr &failure);

} // namespace weir::engine
