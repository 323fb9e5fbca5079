// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/handler_call.hpp"
#include "engine/route_service.hpp"

#include <memory>
#include <string>

namespace weir::engine {

/// One run of a route's handler: the request as it sees it, and the answer as it states it. Used by one thread.
class RouteExchange {
public:
    /// @param call what the handler may do besides. All outlive this
    RouteExchange(const DomainSpec &spec, const plugin::Route &route, const RouteRequest &request, HandlerCall &call);
    RouteExchange(const RouteExchange &) = delete;
    RouteExchange &operator=(const RouteExchange &) = delete;

    /// Calls the handler. For `HandlerCall::run`.
    weir_status run(void *instance, const weir_event_v1 *event, const weir_call_v1 *call);

    /// What was stated, with the status that follows where none was.
    RouteAnswer take_answer();

private:
    struct Callbacks;
    friend struct Callbacks;

    weir_answer refuse(const char *type, std::string message);

    const DomainSpec &spec_;
    const plugin::Route &route_;
    const RouteRequest &request_;
    HandlerCall &call_;
    weir_http_request_v1 request_view_{};
    weir_http_reply_v1 reply_view_{};
    RouteAnswer answer_;
    bool has_status_ = false;
    bool has_body_ = false;
};

/// The request as an event: what accessors, ids, the clock and what is emitted go by.
/// @param reason set, and null returned, where the body says that it is JSON and is none
std::shared_ptr<const event::Event> event_of(const RouteRequest &request, const event::Uuid &id, event::Micros now, std::string &reason);

} // namespace weir::engine
