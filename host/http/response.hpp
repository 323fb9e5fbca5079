// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/event_stream.hpp"
#include "http/headers.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace weir::http {

/// What a handler answers. The server adds Content-Length, Date, the security headers, CORS, ETag and Cache-Control where the handler
/// has set none; Content-Length, Transfer-Encoding and Connection of a handler are dropped.
struct Response {
    int status = 200;
    Headers headers;
    std::string body;
    std::shared_ptr<EventStream> stream; ///< instead of a body: an endless response of server-sent events
    bool for_any_query = false;          ///< of a route with `max_age`: made without a look at the query, and so right for every other one
    bool wants_instance = false;         ///< a problem that names no instance: the server adds the request's path as a last member

    static Response json(int status, std::string body);
    static Response text(int status, std::string body);
    static Response html(std::string body);
    /// 204 and the like.
    static Response empty(int status);
    /// 200 with `text/event-stream`; a null stream (a full channel) becomes a problem with status 503.
    static Response events(std::shared_ptr<EventStream> stream);
};

/// The reason phrase of a status ("Not Found"); "Unknown" where there is none.
std::string_view reason_of(int status) noexcept;

} // namespace weir::http
