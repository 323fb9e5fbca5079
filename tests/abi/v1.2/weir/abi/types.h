/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Weir plugin ABI 1: the values that every other header of the ABI is made of.
 *
 * How to read these headers
 *   [worker-thread]   called by the host on a thread that runs handlers of one domain. An instance
 *                     may be called on several worker threads at once: a handler that takes longer
 *                     than its budget goes on while the next ones run. Treat the instance as
 *                     read-only once it is started.
 *   [control-thread]  called by the host on the thread that manages the plugin's life; calls for
 *                     one instance never overlap there.
 *   [during-call]     may be called by the plugin only until the call it was handed to returns.
 *
 * Rules that hold everywhere
 *   - Nothing changes owner. A `weir_view` handed to either side is valid until the call that carried
 *     it returns, unless its comment says longer. Whoever wants to keep it copies it.
 *   - A struct that can grow begins with `size`, set by the side that allocates it to the sizeof it was compiled
 *     with. A member may be read only if it lies within `size`. Members are only ever appended.
 *   - Arrays come as (pointer, count, stride in bytes); elements carry no size, the stride tells how
 *     much of each the sender knows.
 *   - Text is UTF-8, not NUL-terminated. An absent text has size 0; its data may then be NULL.
 *   - Reserved members are zero.
 */
#ifndef WEIR_ABI_TYPES_H
#define WEIR_ABI_TYPES_H

#include <stddef.h>
#include <stdint.h>

/** The major is part of the entry symbol's name (`weir_plugin_v1`), so a host never calls a plugin of another one. */
#define WEIR_ABI_MAJOR 1u
/** Counts the additions since 1.0. A plugin states the least it needs, a host what it offers. */
#define WEIR_ABI_MINOR 2u

/** Marks what a plugin exports; everything else is compiled with hidden visibility. */
#if defined(__GNUC__)
#define WEIR_EXPORT __attribute__((visibility("default")))
#else
#define WEIR_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Borrowed bytes. A value type: passed and embedded by value, and never extended. */
typedef struct weir_view {
    const char *data; /**< may be NULL where size is 0 */
    uint64_t size;    /**< in bytes */
} weir_view;

/** What a call came to; one of WEIR_OK .. WEIR_FATAL. Anything else is treated as WEIR_REJECT by the host. */
typedef int32_t weir_status;

#define WEIR_OK 0     /**< done: the changes stated during the call are kept */
#define WEIR_SKIP 1   /**< not for this domain: the changes are dropped and the event counts as ignored */
#define WEIR_REJECT 2 /**< never going to work: the changes are dropped, the event becomes a dead letter now */
#define WEIR_RETRY 3  /**< not now: the changes are dropped, the event runs again later, then becomes a dead letter */
#define WEIR_FATAL 4  /**< the domain must stop: nothing is decided, the operator is told the reason */

/** How a question to the host was answered; one of WEIR_FOUND .. WEIR_REFUSED. */
typedef int32_t weir_answer;

#define WEIR_FOUND 0      /**< the out parameter was set */
#define WEIR_ABSENT 1     /**< there is no such member, header or row; the out parameter was not touched */
#define WEIR_NULL 2       /**< it is there and it is null; the out parameter was not touched */
#define WEIR_WRONG_TYPE 3 /**< it is there and of another type; the out parameter was not touched */
#define WEIR_REFUSED 4    /**< the call itself was wrong or came at a wrong time; the event will be rejected with the reason */

/** Log levels of `weir_host_v1::log` and `weir_call_v1::log`. */
#define WEIR_LOG_DEBUG 1u /**< for the plugin's author */
#define WEIR_LOG_INFO 2u  /**< worth knowing */
#define WEIR_LOG_WARN 3u  /**< somebody should look */
#define WEIR_LOG_ERROR 4u /**< somebody must look */

#ifdef __cplusplus
}
#endif

#endif /* WEIR_ABI_TYPES_H */
