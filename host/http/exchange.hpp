// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/body_lease.hpp"
#include "http/connection.hpp"
#include "http/stream_lease.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace weir::http {

struct Connection::Exchange {
    InForce in_force;
    BodyLease lease;
    StreamLease stream;
    const Route *route = nullptr;           ///< of `in_force.routes`
    std::optional<Response> decided;        ///< by its header alone: the answer as soon as the body is read
    std::shared_ptr<const Request> request; ///< from `dispatch` on; it keeps the table alive
    Clock::time_point complete;             ///< when its last byte was there
    std::size_t request_bytes = 0;
    bool head = false;
    bool http_1_0 = false;
    bool close = false;
    std::shared_ptr<std::atomic<bool>>
        waits; ///< whether its handler still waits for a worker; null: it runs on none, or for another request
};

/// A request as handlers share it: with the table that it was matched by.
struct Held {
    Request request;
    std::shared_ptr<const Routes> routes;
    BodyLease lease;
};

/// What every answer gets before it is sent or kept, on the thread that made it.
void finish(Response &response, const Request &request, const Route *route);

/// 503: a bound is reached, which the detail names.
Response overloaded(std::string detail, std::chrono::seconds retry_after = std::chrono::seconds(1));

/// Unique in the process and most likely beyond.
std::string new_request_id();

} // namespace weir::http
