/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Weir plugin ABI 1: one event, as a handler sees it. The host owns it; it is immutable, and every
 * view in it or returned by it is valid until the handler returns.
 */
#ifndef WEIR_ABI_EVENT_H
#define WEIR_ABI_EVENT_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a JSON pointer leads to, as `weir_event_v1::kind` answers. */
#define WEIR_JSON_ABSENT 0u  /**< there is nothing */
#define WEIR_JSON_NULL 1u    /**< null */
#define WEIR_JSON_BOOL 2u    /**< true or false */
#define WEIR_JSON_INTEGER 3u /**< a whole number that fits int64 */
#define WEIR_JSON_NUMBER 4u  /**< any other number */
#define WEIR_JSON_TEXT 5u    /**< a string */
#define WEIR_JSON_ARRAY 6u   /**< an array */
#define WEIR_JSON_OBJECT 7u  /**< an object */

/** See the struct. */
typedef struct weir_event_v1 weir_event_v1;

/** A decoded event. Its functions take the event itself first; all are [during-call], [worker-thread] and never block. */
struct weir_event_v1 {
    uint32_t size;           /**< sizeof this struct, as its allocator was compiled */
    uint32_t schema_version; /**< the envelope's; 0 where it has none */
    const void *host;        /**< the host's own; not for the plugin */

    weir_view event_id;       /**< 36 characters, lower case */
    weir_view event_type;     /**< after the binding's aliases, "user.created.v1" */
    weir_view tenant_id;      /**< as sent; lower case where it is a UUID; empty where there is none */
    weir_view correlation_id; /**< as sent; empty where there is none */
    weir_view topic;          /**< where it came from */
    weir_view key;            /**< what orders it, empty where only its partition does */
    int64_t occurred_at_us;   /**< microseconds since 1970-01-01T00:00:00Z; the broker's append time where the envelope has none */
    int64_t appended_at_us;   /**< when the broker took it, same unit */
    uint32_t attempt;         /**< 1 on the first run */
    uint32_t reserved;        /**< 0 */
    weir_view message;        /**< the original bytes of the whole message, for those who bring a parser */

    /*
     * Each accessor takes a JSON pointer (RFC 6901) into the payload; "" is the payload itself.
     */

    /** WEIR_JSON_* of the value there. */
    uint32_t (*kind)(const weir_event_v1 *event, weir_view pointer);
    /** A JSON string, unescaped. */
    weir_answer (*text)(const weir_event_v1 *event, weir_view pointer, weir_view *out);
    /** A whole number that fits; 1.0 is WEIR_WRONG_TYPE. */
    weir_answer (*integer)(const weir_event_v1 *event, weir_view pointer, int64_t *out);
    /** Any number, as the nearest double. */
    weir_answer (*number)(const weir_event_v1 *event, weir_view pointer, double *out);
    /** true as 1, false as 0. */
    weir_answer (*boolean)(const weir_event_v1 *event, weir_view pointer, int32_t *out);
    /** An RFC 3339 time with a zone, in microseconds since 1970-01-01T00:00:00Z; other text is WEIR_WRONG_TYPE. */
    weir_answer (*timestamp)(const weir_event_v1 *event, weir_view pointer, int64_t *out);
    /** The value there as JSON text; null is the text "null", never WEIR_NULL. */
    weir_answer (*json)(const weir_event_v1 *event, weir_view pointer, weir_view *out);
    /** The elements of an array or the members of an object; anything else is WEIR_WRONG_TYPE. */
    weir_answer (*length)(const weir_event_v1 *event, weir_view pointer, uint64_t *out);
    /** A header that the broker carried beside the message. */
    weir_answer (*header)(const weir_event_v1 *event, weir_view name, weir_view *out);
};

#ifdef __cplusplus
}
#endif

#endif /* WEIR_ABI_EVENT_H */
