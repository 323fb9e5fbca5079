// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/response_cache.hpp"
#include "http/route.hpp"
#include "http/server.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace weir::http {

/// What an answer on the wire depends on besides the response itself.
struct AnswerContext {
    const Request *request = nullptr;          ///< null where nothing of it could be read
    const Route *route = nullptr;              ///< null where none matched
    const ListenerOptions *listener = nullptr; ///< never null
    std::string_view date;                     ///< of the Date header
    std::string_view id;                       ///< of X-Request-Id; empty: left out
    bool head = false;                         ///< the request was HEAD: no body
    bool close = false;                        ///< the connection ends with this answer
    bool keep_alive_1_0 = false;               ///< an HTTP/1.0 client that asked to go on must be told so
    bool chunked = true;                       ///< how an event stream is framed; false: until the connection ends
};

struct Answer {
    std::string head;                        ///< status line and fields, with the empty line
    std::shared_ptr<const std::string> body; ///< null: none is sent
    int status = 200;
};

/// Makes the bytes of an answer: adds what the server adds to each (see Response), turns an answer that the client has into a 304, and says
/// for problems what the request was (`instance` is the handler's to set).
Answer make_answer(const KeptResponse &kept, const AnswerContext &context);

/// A route's answer before it is kept or sent: an ETag of its body where it is due.
void tag(Response &response, const Route &route);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7).
std::string http_date(std::chrono::system_clock::time_point time);

} // namespace weir::http
