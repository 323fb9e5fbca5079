// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "operations/operations.hpp"

#include <memory>
#include <vector>

namespace weir::operations {

/// List, show, replay, drop.
std::vector<http::Route> dead_letter_routes(const std::shared_ptr<const Sources> &sources);

/// Runs a handler's work, and makes answers of what servers throw: 503 where one can't be reached, 409 where others were in the way for too
/// long, 500 with the message where tables don't fit.
http::Response guarded_by_store(const std::function<http::Response()> &work);

/// The description that routes of operations begin with.
http::RouteDescription described(const char *operation_id, const char *summary, const char *schema);

} // namespace weir::operations
