/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Weir plugin ABI 1: the host, as a plugin instance sees it for as long as it lives.
 */
#ifndef WEIR_ABI_HOST_H
#define WEIR_ABI_HOST_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** See the struct. */
typedef struct weir_host_v1 weir_host_v1;

/** The host's table. Valid from `create` until `destroy` returns; the functions take the table itself first. */
struct weir_host_v1 {
    uint32_t size;      /**< sizeof this struct, as its allocator was compiled */
    uint32_t abi_minor; /**< the minor of ABI 1 that this host offers */
    void *self;         /**< the host's own; not for the plugin */
    weir_view version;  /**< the host's version, "0.1.0" */

    /** A line in the host's log, with the domain added. [any thread] */
    void (*log)(const weir_host_v1 *host, uint32_t level, weir_view message);

    /** Why `create`, `start` or `drain` is about to fail, and what to change. [control-thread] */
    void (*error)(const weir_host_v1 *host, weir_view message);

    /**
     * An extension table that the host offers, asked for by "weir.<name>/<revision>", or NULL where it does not.
     * Each has a header of its own that says what the pointer is. Valid as long as this table. [control-thread]
     */
    const void *(*extension)(const weir_host_v1 *host, weir_view id);
};

#ifdef __cplusplus
}
#endif

#endif /* WEIR_ABI_HOST_H */
