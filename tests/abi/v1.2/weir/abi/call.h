/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Weir plugin ABI 1: what a handler may do while it runs. A handler commits nothing, acks nothing and writes no
 * SQL: it reads rows, states changes, emits events, and returns a status. The host makes all of it
 * happen exactly once, or none of it.
 */
#ifndef WEIR_ABI_CALL_H
#define WEIR_ABI_CALL_H

#include "event.h"
#include "schema.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a change does to the row with its key. */
#define WEIR_CHANGE_UPSERT 1u /**< makes the row, or changes it */
#define WEIR_CHANGE_INSERT 2u /**< makes the row; does nothing where it exists */
#define WEIR_CHANGE_UPDATE 3u /**< changes the row; does nothing where it is missing */
#define WEIR_CHANGE_ERASE 4u  /**< deletes the row; does nothing where it is missing; its cells are the key's only */

/* What a change does to one cell. On a row that is being made, `add`, `max` and `min` start from the column's
 * default, or from null where it has none. */
#define WEIR_CELL_SET 1u  /**< the value, or null */
#define WEIR_CELL_KEEP 2u /**< the value, only where the row is being made */
#define WEIR_CELL_ADD 3u  /**< int64 and decimal: adds; null counts as 0 */
#define WEIR_CELL_MAX 4u  /**< int64, decimal and timestamp: the later one; null counts as absent */
#define WEIR_CELL_MIN 5u  /**< int64, decimal and timestamp: the earlier one; null counts as absent */

#define WEIR_CELL_IS_NULL 1u /**< flag: the value is null, whatever the value members hold */

/** One cell of a change, a key or a row. An array element: its stride stands for its size. */
typedef struct weir_cell_v1 {
    uint32_t column;    /**< column index in its table */
    uint32_t operation; /**< WEIR_CELL_*; key cells of a change use WEIR_CELL_SET; 0 in keys and rows read */
    uint32_t flags;     /**< WEIR_CELL_IS_NULL */
    uint32_t reserved;  /**< 0 */
    int64_t integer;    /**< int64, decimal (unscaled), bool, timestamp */
    double number;      /**< float64 */
    weir_view text;     /**< text, citext, uuid, json, bytes */
} weir_cell_v1;

/**
 * One change to one row. `cells` names every primary key column once, and any other column at most once.
 * The guard, where there is one, names a nullable or non-nullable column of the row and a value of its type: on an existing row
 * the change applies only if that column is null or not later (greater) than the value. An event with a change that its guard turned away
 * counts as stale.
 */
typedef struct weir_change_v1 {
    uint32_t size;             /**< sizeof this struct, as its allocator was compiled */
    uint32_t table;            /**< table index */
    uint32_t kind;             /**< WEIR_CHANGE_* */
    uint32_t cell_count;       /**< how many of `cells` */
    const weir_cell_v1 *cells; /**< what it states */
    uint32_t cell_stride;      /**< of `cells`, in bytes */
    uint32_t reserved;         /**< 0 */
    const weir_cell_v1 *guard; /**< NULL for none; not with WEIR_CHANGE_INSERT; int64, decimal or timestamp */
} weir_change_v1;

/** A row that was read. The host owns it; it stays as it is until the handler returns. */
typedef struct weir_row_v1 {
    uint32_t size;             /**< sizeof this struct, as its allocator was compiled */
    uint32_t cell_count;       /**< the table's columns, all of them, in their order */
    const weir_cell_v1 *cells; /**< one a column */
    uint32_t cell_stride;      /**< of `cells`, in bytes */
    uint32_t reserved;         /**< 0 */
} weir_row_v1;

/** A name and a value, for the headers of an emitted event. An array element. */
typedef struct weir_header_v1 {
    weir_view name;  /**< as consumers will see it */
    weir_view value; /**< any text */
} weir_header_v1;

/** An event to be published after the commit, at least once, in the order of the commits for one key. */
typedef struct weir_emit_v1 {
    uint32_t size;                 /**< sizeof this struct, as its allocator was compiled */
    uint32_t header_count;         /**< how many of `headers` */
    weir_view topic;               /**< where to */
    weir_view key;                 /**< empty: none */
    weir_view event_type;          /**< "user.renamed.v1" */
    weir_view payload;             /**< JSON text; the host wraps it in an envelope whose id follows from this event's id */
    const weir_header_v1 *headers; /**< carried beside the message */
    uint32_t header_stride;        /**< of `headers`, in bytes */
    uint32_t reserved;             /**< 0 */
} weir_emit_v1;

/** A bounded walk along an index. */
typedef struct weir_scan_v1 {
    uint32_t size;            /**< sizeof this struct, as its allocator was compiled */
    uint32_t table;           /**< table index */
    uint32_t index;           /**< index of the index in its table, or WEIR_SCAN_PRIMARY_KEY */
    uint32_t limit;           /**< rows at the most, 1..1000 */
    const weir_cell_v1 *from; /**< least values, inclusive, for a prefix of the index's columns; NULL: from the beginning */
    const weir_cell_v1 *to;   /**< greatest values, inclusive, for a prefix of the index's columns; NULL: to the end */
    uint32_t from_count;      /**< how many of `from` */
    uint32_t to_count;        /**< how many of `to` */
    /** The row after which to go on: cells of all columns of the index and then of the primary key, as the last row had them; NULL: from
     * the start. */
    const weir_cell_v1 *after;
    uint32_t after_count; /**< how many of `after` */
    uint32_t cell_stride; /**< of all three arrays */
} weir_scan_v1;

#define WEIR_SCAN_PRIMARY_KEY 0xFFFFFFFFu /**< the index of a scan: the primary key itself */

/** Called by the host for each row of a scan, in order; `row` is valid until it returns. Return 0 to stop. */
typedef int32_t (*weir_row_sink)(void *user, const weir_row_v1 *row);

/** See the struct. */
typedef struct weir_call_v1 weir_call_v1;

/**
 * The powers of one run of one handler. All functions take the call itself first and are
 * [during-call], [worker-thread]. A function that answers WEIR_REFUSED has noted the reason: the event will be rejected with
 * it, whatever the handler then returns, so a handler may go on without looking.
 */
struct weir_call_v1 {
    uint32_t size;     /**< sizeof this struct, as its allocator was compiled */
    uint32_t reserved; /**< 0 */
    void *host;        /**< the host's own; not for the plugin */
    int64_t now_us;    /**< the only clock of a handler: when the broker took the event, so that a rerun says the same */

    /** States a change. The host copies it; cells are checked here, against the declared types. */
    weir_answer (*change)(const weir_call_v1 *call, const weir_change_v1 *change);

    /**
     * Reads one row by its primary key (`key_count` cells, in the key's order) as it is after all earlier events, and after
     * this handler's own changes. WEIR_ABSENT where there is none. May block on the store.
     */
    weir_answer (*read)(const weir_call_v1 *call, uint32_t table, const weir_cell_v1 *key, uint32_t key_count, uint32_t key_stride,
                        const weir_row_v1 **out);

    /** Walks committed rows, without this batch's changes. Not offered to event handlers, where it answers WEIR_REFUSED: they
     *  read by key. It serves routes. */
    weir_answer (*scan)(const weir_call_v1 *call, const weir_scan_v1 *scan, weir_row_sink sink, void *user);

    /** Emits an event through the domain's outbox. The host copies it. */
    weir_answer (*emit)(const weir_call_v1 *call, const weir_emit_v1 *event);

    /** UUIDv5(event_id, n in decimal) as 36 characters: the n-th id of this event, the same in every rerun. Valid until the handler
     * returns. */
    weir_answer (*new_id)(const weir_call_v1 *call, uint32_t n, weir_view *out);

    /** Why the handler is about to return something other than WEIR_OK: a short code ("unknown_plan") and a sentence without
     *  personal data. The last one counts. */
    void (*error)(const weir_call_v1 *call, weir_view code, weir_view message);

    /** A line in the host's log, with the event's id, correlation id and domain added. Never an e-mail, never a payload. */
    void (*log)(const weir_call_v1 *call, uint32_t level, weir_view message);
};

/**
 * A handler: exported as "handle_", the plugin's name, "_" and the event type, with hyphens and dots as underscores and without a
 * final ".v1"; ".v2" and later keep "_v2": user.created.v1 of linting is handle_linting_user_created.
 * [worker-thread]; must not throw, and must be a function of its event, the rows it reads and the call's clock and ids.
 * @param instance what `create` made for this domain
 * @param event    what is to be handled; valid until the handler returns
 * @param call     what the handler may do; valid until the handler returns
 * @return WEIR_OK .. WEIR_FATAL
 */
typedef weir_status (*weir_handler_v1)(void *instance, const weir_event_v1 *event, const weir_call_v1 *call);

#ifdef __cplusplus
}
#endif

#endif /* WEIR_ABI_CALL_H */
