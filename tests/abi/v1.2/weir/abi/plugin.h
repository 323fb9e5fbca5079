/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Weir plugin ABI 1: what a plugin is.
 *
 * A plugin is its exports: `weir_plugin_v1`, and one `handle_<plugin>_<event>` for each event type that it
 * handles. The host reads both names from the file before any code of the plugin runs.
 *
 * Life of an instance (one for each domain that the plugin serves, in each generation of the file):
 *
 *     loaded --create--> configured --start--> running --drain--> draining --destroy--> closed
 *                            |                                        ^
 *                            +-------------- destroy ----(start failed)
 *
 *   loaded      the file is mapped and the descriptor read; no instance yet
 *   configured  the instance exists; no handler runs
 *   running     handlers run, on worker threads
 *   draining    no new handler begins; those that run may end
 *   closed      the instance is gone; the file stays mapped until the process ends
 */
#ifndef WEIR_ABI_PLUGIN_H
#define WEIR_ABI_PLUGIN_H

#include "call.h"
#include "host.h"
#include "schema.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_BINDING_ENVELOPE_REQUIRED 1u /**< flag: a message without an envelope's members is broken, not bare */

/** Another name for an event type, as older producers send it. An array element. */
typedef struct weir_alias_v1 {
    weir_view alias;      /**< "UserCreated" */
    weir_view event_type; /**< "user.created.v1" */
} weir_alias_v1;

/**
 * Where the members of an envelope are found in a topic's messages. Each source is empty (the envelope's own
 * member), a JSON pointer into the message ("/meta/id"), or "=" and a fixed value ("=vote.cast.v1"); `event_id` may
 * also be "position": UUIDv5 of the topic's incarnation, the partition and the position.
 * Every one can be overridden in the domain's config. An array element: its stride stands for its size.
 */
typedef struct weir_binding_v1 {
    weir_view topic;              /**< which topic it is about */
    uint32_t flags;               /**< WEIR_BINDING_* */
    uint32_t alias_count;         /**< how many of `aliases` */
    const weir_alias_v1 *aliases; /**< other names of event types */
    uint32_t alias_stride;        /**< of `aliases`, in bytes */
    uint32_t key_count;           /**< how many of `keys` */
    const weir_view *keys;        /**< the parts of the ordering key; none: the broker's key, else the partition */
    weir_view event_id;           /**< source of the id */
    weir_view event_type;         /**< source of the type */
    weir_view occurred_at;        /**< source of the time */
    weir_view tenant_id;          /**< source of the tenant */
    weir_view correlation_id;     /**< source of the correlation id */
    weir_view payload;            /**< empty: "/payload" with an envelope, the whole message without */
} weir_binding_v1;

#define WEIR_ORDER_ORDERED 0u  /**< events of one key take effect in topic order */
#define WEIR_ORDER_PARALLEL 1u /**< any number of readers: for changes that commute */

/** How the plugin serves where no configuration says otherwise. An array element: its stride stands for its size. */
typedef struct weir_domain_v1 {
    weir_view name;                  /**< "linting" */
    weir_view schema;                /**< the database schema */
    weir_view group;                 /**< the consumer group */
    const weir_view *topics;         /**< the topics it reads */
    uint32_t topic_count;            /**< how many of `topics` */
    uint32_t order;                  /**< WEIR_ORDER_* */
    const weir_binding_v1 *bindings; /**< how their messages become events; a topic without one has a binding of defaults */
    uint32_t binding_count;          /**< how many of `bindings` */
    uint32_t binding_stride;         /**< of `bindings`, in bytes */
} weir_domain_v1;

/** What an instance is made for. Valid until `create` returns. */
typedef struct weir_setup_v1 {
    uint32_t size;       /**< sizeof this struct, as its allocator was compiled */
    uint32_t generation; /**< counts the files that have served under this plugin's name since the host started */
    weir_view domain;    /**< its configured name */
    weir_view schema;    /**< its database schema */
    weir_view settings;  /**< the domain's "settings" from its configuration: a JSON object */
} weir_setup_v1;

/** A plugin's descriptor: constant, in static storage, the same pointer in every call. */
typedef struct weir_plugin_descriptor_v1 {
    uint32_t size;      /**< sizeof this struct, as its allocator was compiled */
    uint32_t abi_minor; /**< the least minor of ABI 1 that this plugin can run on */

    weir_view name;    /**< `[a-z][a-z0-9-]{0,62}`; with `-` as `_` it is in the names of the handlers */
    weir_view version; /**< "1.4.0" */
    weir_view summary; /**< one sentence for `weir plugin list` */

    const weir_table_v1 *tables; /**< the tables of its domains */
    uint32_t table_count;        /**< how many of `tables` */
    uint32_t table_stride;       /**< of `tables`, in bytes */

    const weir_read_v1 *reads; /**< rows that handlers read */
    uint32_t read_count;       /**< how many of `reads` */
    uint32_t read_stride;      /**< of `reads`, in bytes */

    const weir_domain_v1 *domains; /**< none: serves only where a configuration names the plugin */
    uint32_t domain_count;         /**< how many of `domains` */
    uint32_t domain_stride;        /**< of `domains`, in bytes */

    /** The settings that `create` accepts with their default values, as a JSON object; unknown keys are refused by the host. Empty: any. */
    weir_view settings;

    /**
     * Makes an instance. NULL: handlers get a NULL instance. [control-thread]
     * @param host     valid until `destroy` returns
     * @param instance set by the plugin on WEIR_OK; the plugin owns what it points to
     * @return WEIR_OK, or WEIR_FATAL after `host->error`: the domain, or the new generation, is refused
     */
    weir_status (*create)(const weir_host_v1 *host, const weir_setup_v1 *setup, void **instance);
    /** configured to running; NULL: nothing to do. WEIR_OK or WEIR_FATAL. [control-thread] */
    weir_status (*start)(void *instance);
    /** running to draining: no new handler will begin; NULL: nothing to do. [control-thread] */
    void (*drain)(void *instance);
    /** to closed: frees the instance; no handler runs. NULL: nothing to do. [control-thread] */
    void (*destroy)(void *instance);
    /** An extension that the plugin offers, by "weir.<name>/<revision>", or NULL. NULL: none. Of plugins whose `abi_minor` is 1 or more it
     * is asked for with a NULL instance as well, before there is any, where the extension's header says that it belongs to the plugin and
     * not to an instance. [control-thread] */
    const void *(*extension)(void *instance, weir_view id);

    /* since ABI 1.1 */
    const weir_counter_v1 *counters; /**< functions for other clients of the database */
    uint32_t counter_count;          /**< how many of `counters` */
    uint32_t counter_stride;         /**< of `counters`, in bytes */
} weir_plugin_descriptor_v1;

/** The entry: returns the descriptor, or NULL where the plugin can't describe itself: it is refused then. Called first, and must do
 *  nothing else. [control-thread] */
typedef const weir_plugin_descriptor_v1 *(*weir_plugin_entry_v1)(void);

/** The entry's name, as the host looks it up. */
#define WEIR_PLUGIN_ENTRY_SYMBOL "weir_plugin_v1"

#ifdef __cplusplus
}
#endif

#endif /* WEIR_ABI_PLUGIN_H */
