// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/request.hpp"
#include "http/response.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::http {

class HandlerWatch;

/// Answers on a worker of the server's pool; may block for as long as its timeout allows. What it throws becomes a 500 without the text,
/// which is logged.
using Handler = std::function<Response(const Request &)>;

/// Where a handler runs.
enum class Runs : std::uint8_t {
    worker,  ///< on the pool that all routes share
    reserve, ///< on workers kept for operations, so that they answer while handlers of plugins hang, and on reserved connections as well
    at_once  ///< on the thread that reads and writes connections: for what never waits
};

/// The way to answer a request later. Copyable and thread-safe; the first answer counts, others are dropped, and where the last copy goes
/// unanswered the client gets a 500. Answering after the deadline does nothing.
class Reply {
public:
    /// The one answer that a request gets, wherever it goes to.
    struct Pending;
    explicit Reply(std::shared_ptr<Pending> pending);

    void operator()(Response response) const;

    /// False once it was answered: another answer would be dropped.
    bool wanted() const;

private:
    std::shared_ptr<Pending> pending_;
};

/// Begins on a worker, must not block for long, and answers through the reply from any thread: for requests that are worked off in groups.
using AsyncHandler = std::function<void(std::shared_ptr<const Request>, Reply)>;

enum class Access : std::uint8_t {
    open,
    guarded ///< only with the listener's bearer token, or from a local address (ListenerOptions): else 401, 403
};

struct RouteOptions {
    Access access = Access::open;
    Runs runs = Runs::worker;
    std::optional<std::size_t> max_body_bytes;             ///< where it is smaller than the server's
    std::optional<std::chrono::milliseconds> timeout;      ///< until 504; the server's handler timeout otherwise
    std::string timeout_key;                               ///< what an operator changes for another `timeout`; empty: nothing
    std::vector<std::string> consumes{"application/json"}; ///< media types of a request's body; others are 415; empty: any
    std::vector<std::string> produces{
        "application/json"}; ///< media types it answers with; an Accept without any of them is 406; empty: any
    bool etag = true;        ///< GET, 200: a strong ETag of the body where the handler sets none, and 304 for If-None-Match
    /// GET only: the answer (200) is kept for so long and handed to everybody; one request at a time runs the handler when it is over,
    /// others wait for it. Keyed by path and parameters of the query, or by path alone (`Response::for_any_query`). Sent as Cache-Control:
    /// max-age. Zero: not kept, no-store.
    std::chrono::milliseconds max_age{0};
    /// For answers that differ by caller: `private` in Cache-Control, and not kept by the server.
    bool private_answer = false;
    std::string content_security_policy; ///< instead of the server's (default-src 'none'), for pages
    bool events = false;                 ///< its answer is an event stream, one of Limits::max_event_streams
    bool cors = true;                    ///< answered across origins that are on the list
    std::shared_ptr<HandlerWatch> watch; ///< of handlers on workers: who is told of those that are overdue, and bounds them; may be null
};

/// What a route says of itself in the OpenAPI document. JSON Schemas are texts; `#/components/schemas/Name` refers to `Routes` components.
struct RouteDescription {
    struct Field {
        std::string name;
        std::string in; ///< "query", "path", "header"
        std::string description;
        std::string schema = R"({"type":"string"})";
        bool required = false;
    };
    struct Answer {
        int status = 200; ///< or a class of them: 2 is 2XX
        std::string description;
        std::string media_type; ///< empty: no body
        std::string schema;     ///< of the body; empty: not described
    };
    std::string operation_id; ///< "listDeadLetters"; unique
    std::string summary;
    std::string text;
    std::string tag;
    std::vector<Field> fields;
    std::string request_media_type; ///< empty: no body is read
    std::string request_schema;
    std::vector<Answer> answers;
    bool hidden = false; ///< not in the document
};

/// One method at one path. The pattern's segments are literal, or `{name}` for one segment of anything but the empty text; the last one may
/// be `{name...}` for the whole rest, which may be empty. Literals are preferred to `{name}`, and that to `{name...}`.
struct Route {
    Method method = Method::get;
    std::string pattern;
    Handler handler; ///< this or `async`
    AsyncHandler async;
    RouteOptions options;
    RouteDescription description;
    std::string owner; ///< who is named in a conflict: "operations", "plugin votes"
};

} // namespace weir::http
