/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The extension "weir.http/1": routes of a plugin. The host speaks HTTP; a route says what it answers.
 *
 * A plugin whose `weir_plugin_descriptor_v1::abi_minor` is 1 or more is asked for this extension with a NULL instance, once, when its
 * descriptor has been read; what it returns is a `const weir_http_v1 *`, constant and in static storage. All of its routes are checked
 * before anything of the plugin serves: a wrong one refuses the file. Routes come and go with the generation that serves the domain, and
 * they are there while its broker or store is away: what needs them is answered with 503 then.
 *
 * The rules of <weir/abi.h> hold here too: nothing changes owner, structs begin with their size, arrays have a stride. C++ authors include
 * <weir/http.hpp>.
 */
#ifndef WEIR_HTTP_H
#define WEIR_HTTP_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_HTTP_EXTENSION "weir.http/1" /**< the id by which the host asks for a `weir_http_v1` */

/* Methods. HEAD is answered by the routes of GET, OPTIONS by the host. */
#define WEIR_HTTP_GET 1u    /**< reads; may not change, emit or publish */
#define WEIR_HTTP_POST 2u   /**< may be repeated under an Idempotency-Key and takes effect once */
#define WEIR_HTTP_PUT 3u    /**< replaces */
#define WEIR_HTTP_PATCH 4u  /**< changes */
#define WEIR_HTTP_DELETE 5u /**< deletes */

/** Flag, of a GET route without variables in its path: a stream of server-sent events. While somebody listens, the host runs the
 *  handler every `max_age_ms` and sends the body of its answer as an event where it has changed. Needs a `max_age_ms`. */
#define WEIR_HTTP_EVENTS 1u

/** Flag, since ABI 1.2: only for whoever the operator trusts, as the host's own operations that change something: with the host's bearer
 *  token, or from a local address where that is enough. Others get 401 or 403, and the handler doesn't run. For what isn't everybody's to
 *  see or to change. The plugin's `abi_minor` has to be 2 or more, so that no host takes it that wouldn't guard it. */
#define WEIR_HTTP_GUARDED 2u

/** A request, as a handler sees it. The host owns it; it doesn't change, and every view in it or returned by it is valid until the handler
 *  returns. */
typedef struct weir_http_request_v1 weir_http_request_v1;

/** See the typedef. Its functions take the request itself first; all are [during-call], [route-thread] and never block. */
struct weir_http_request_v1 {
    uint32_t size;    /**< sizeof this struct, as its allocator was compiled */
    uint32_t method;  /**< WEIR_HTTP_* */
    const void *host; /**< the host's own; not for the plugin */
    weir_view path;   /**< decoded, without the query */
    weir_view body;   /**< its bytes; empty where there is none */

    /**
     * The request as an event, for its accessors: `event_id` is the request's id, `payload` the body where its Content-Type is JSON, else
     * null. A body that says it is JSON and is none is answered by the host with 400.
     */
    const weir_event_v1 *event;

    /** What stands in the place of `{name}` in the route's path, decoded. */
    weir_answer (*variable)(const weir_http_request_v1 *request, weir_view name, weir_view *out);
    /** The first parameter of this name in the query, decoded. */
    weir_answer (*query)(const weir_http_request_v1 *request, weir_view name, weir_view *out);
    /** A header field; names are compared without regard to case. Authorization and Cookie are not shown. */
    weir_answer (*header)(const weir_http_request_v1 *request, weir_view name, weir_view *out);
};

/** How a handler answers. The host owns it. */
typedef struct weir_http_reply_v1 weir_http_reply_v1;

/**
 * See the typedef. Its functions take the reply itself first; all are [during-call], [route-thread]; what is handed over is copied. One
 * that answers WEIR_REFUSED has noted the reason, and the request will be answered with 500 whatever the handler then returns.
 */
struct weir_http_reply_v1 {
    uint32_t size;     /**< sizeof this struct, as its allocator was compiled */
    uint32_t reserved; /**< 0 */
    void *host;        /**< the host's own; not for the plugin */

    /** The status, 200 to 599. Without it: 200 where there is a body, else 204. */
    weir_answer (*status)(const weir_http_reply_v1 *reply, uint32_t status);

    /** Sets a header field: Content-Disposition, Content-Language, ETag, Last-Modified, Link, Location, Retry-After. Others are refused:
     *  the host sets them. No control characters in the value. */
    weir_answer (*header)(const weir_http_reply_v1 *reply, weir_view name, weir_view value);

    /** Sets the body, up to 16 MiB, and its type ("application/json"). The last one counts. */
    weir_answer (*body)(const weir_http_reply_v1 *reply, weir_view content_type, weir_view bytes);

    /**
     * Answers with problem details (RFC 9457): a status from 400 to 599, a short code ("unknown_user"), and a sentence that names what to
     * change and holds no personal data. Replaces the body.
     */
    weir_answer (*problem)(const weir_http_reply_v1 *reply, uint32_t status, weir_view code, weir_view detail);

    /**
     * Publishes an event directly, without the outbox: after the handler has returned, and before the answer is sent. Where the broker
     * can't be reached, the answer is 503 instead, and where it refuses the event (too large, no right to the topic) 502. It has an
     * envelope, whose id follows from the request's id: under one Idempotency-Key it is the same in every repetition, so consumers count it
     * once. An empty topic is the first that the domain reads. Not together with changes or `weir_call_v1::emit` in one run. Up to 100.
     */
    weir_answer (*publish)(const weir_http_reply_v1 *reply, const weir_emit_v1 *event);
};

/**
 * Handles one request. [route-thread]: a thread that serves requests, beside those that run event handlers; several requests of an instance
 * run at once. Must not throw.
 *
 * `call` works as for event handlers, with these differences: `scan` is offered; `read` sees what is committed, and in routes that are not
 * GET locks the row until the handler's transaction ends; `now_us` is when the request came; `error` says why it ends badly. Changes and
 * emitted events are committed in one transaction before the answer is sent, and only where the answer's status is below 400. Where the
 * transaction has to be run again, so is the handler.
 *
 * @param user     `weir_http_route_v1::user`
 * @param instance what `create` made for this domain
 * @param request  what was asked; [during-call]
 * @param reply    takes the answer; [during-call]
 * @param call     rows, changes, ids and the log; [during-call]
 * @return WEIR_OK: the answer stands. WEIR_SKIP: so it does, but nothing is changed. WEIR_REJECT: 422, with the reason that
 *         `call->error` noted. WEIR_RETRY: 503. WEIR_FATAL or anything else: 500, the reason in the log only. Past the domain's time limit
 * the client is answered with 504, and what the handler comes to is dropped, unless it is being committed by then.
 */
typedef weir_status (*weir_http_handler_v1)(const void *user, void *instance, const weir_http_request_v1 *request,
                                            const weir_http_reply_v1 *reply, const weir_call_v1 *call);

/** One method at one path. An array element: its stride stands for its size. */
typedef struct weir_http_route_v1 {
    /** Begins with "/"; segments are text or `{name}`, which stands for one segment that is not empty; the last may be `{name...}`, for all
     *  that follows. No two routes of one method match the same paths, also not of two plugins or of a plugin and the host. */
    weir_view path;
    uint32_t method;                   /**< WEIR_HTTP_* */
    uint32_t flags;                    /**< WEIR_HTTP_EVENTS, WEIR_HTTP_GUARDED */
    uint32_t max_age_ms;               /**< GET: how long an answer may be given to everybody; one refill at a time. 0: not kept */
    uint32_t max_body_bytes;           /**< of the request; 0: the host's limit, which it can't exceed */
    weir_view consumes;                /**< the media type of the request's body; empty: application/json */
    weir_view produces;                /**< the media type of its answers; empty: application/json */
    weir_view content_security_policy; /**< for pages, where the host's own (nothing from anywhere) is too narrow; empty: that one */
    weir_view summary;                 /**< one sentence, for the OpenAPI document */
    weir_http_handler_v1 handle;       /**< not NULL */
    const void *user;                  /**< handed to `handle` */
} weir_http_route_v1;

/** The routes of a plugin. */
typedef struct weir_http_v1 {
    uint32_t size;                    /**< sizeof this struct, as its allocator was compiled */
    uint32_t route_count;             /**< how many of `routes`; up to 256 */
    const weir_http_route_v1 *routes; /**< in any order */
    uint32_t route_stride;            /**< of `routes`, in bytes */
    uint32_t reserved;                /**< 0 */
} weir_http_v1;

#ifdef __cplusplus
}
#endif

#endif /* WEIR_HTTP_H */
