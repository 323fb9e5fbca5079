/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Weir plugin ABI 1: the tables of a domain, as a plugin declares them.
 *
 * The host creates them in the domain's schema, adds what a later version added (new columns need
 * WEIR_COLUMN_NULLABLE or a default), and refuses anything that would change or drop what is there. Names are
 * `[a-z_][a-z0-9_]{0,62}` and must not be one of the host's own tables (event_ledger, dead_letter_queue, ...).
 */
#ifndef WEIR_ABI_SCHEMA_H
#define WEIR_ABI_SCHEMA_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Column types, and the member of `weir_cell_v1` that carries a value of each. */
#define WEIR_TYPE_TEXT 1u      /**< UTF-8 without U+0000: `text` */
#define WEIR_TYPE_CITEXT 2u    /**< text compared without regard to ASCII case: `text` */
#define WEIR_TYPE_INT64 3u     /**< `integer` */
#define WEIR_TYPE_FLOAT64 4u   /**< finite: `number` */
#define WEIR_TYPE_DECIMAL 5u   /**< exact: `integer` is the value times 10^scale; precision 1..18, scale 0..precision */
#define WEIR_TYPE_BOOL 6u      /**< `integer`, 0 or 1 */
#define WEIR_TYPE_UUID 7u      /**< `text`, 36 characters, any case; kept in lower case */
#define WEIR_TYPE_TIMESTAMP 8u /**< `integer`, microseconds since 1970-01-01T00:00:00Z, years 1 to 9999 */
#define WEIR_TYPE_JSON 9u      /**< `text`, JSON that PostgreSQL's jsonb takes: no \\u0000, no lone surrogates, depth up to 64 */
#define WEIR_TYPE_BYTES 10u    /**< `text`, any bytes */

#define WEIR_COLUMN_NULLABLE 1u /**< flag: the column may be null */

#define WEIR_DEFAULT_NONE 0u    /**< null where nullable; otherwise a creating change must state the cell */
#define WEIR_DEFAULT_LITERAL 1u /**< `default_text`: see there */
#define WEIR_DEFAULT_NOW 2u     /**< timestamp columns: the event's clock (`weir_call_v1::now_us`) */
#define WEIR_DEFAULT_NEW_ID 3u  /**< uuid columns: generated from the event's id, the same in every rerun */

/** One column. An array element: its stride stands for its size. */
typedef struct weir_column_v1 {
    weir_view name;        /**< `[a-z_][a-z0-9_]{0,62}`, unique in its table */
    uint32_t type;         /**< WEIR_TYPE_* */
    uint32_t flags;        /**< WEIR_COLUMN_* */
    uint32_t precision;    /**< WEIR_TYPE_DECIMAL only, else 0 */
    uint32_t scale;        /**< WEIR_TYPE_DECIMAL only, else 0 */
    uint32_t default_kind; /**< WEIR_DEFAULT_* */
    uint32_t reserved;     /**< 0 */
    /** For WEIR_DEFAULT_LITERAL: integers and decimals in decimal notation ("0", "-1.50"), "true"/"false",
     *  times as RFC 3339, bytes as hexadecimal, everything else as it is. */
    weir_view default_text;
} weir_column_v1;

#define WEIR_INDEX_UNIQUE 1u /**< flag: no two rows agree in all its columns (null agrees with nothing) */

/** An index; also how a unique constraint is declared and what `weir_call_v1::scan` walks along. */
typedef struct weir_index_v1 {
    weir_view name;          /**< unique within the schema */
    const uint32_t *columns; /**< column indexes, in order */
    uint32_t column_count;   /**< how many of `columns` */
    uint32_t flags;          /**< WEIR_INDEX_* */
} weir_index_v1;

/** A reference to another table of the same domain. Deleting a row that is referred to is refused. */
typedef struct weir_reference_v1 {
    const uint32_t *columns;        /**< column indexes in this table; any null among them refers to nothing */
    uint32_t column_count;          /**< how many of `columns` */
    uint32_t target_table;          /**< index into `weir_plugin_descriptor_v1::tables` */
    const uint32_t *target_columns; /**< the target's primary key or a unique index, in that order; `column_count` of them */
} weir_reference_v1;

/** A table. An array element: its stride stands for its size. */
typedef struct weir_table_v1 {
    weir_view name;                      /**< `[a-z_][a-z0-9_]{0,62}`, unique in the plugin */
    const weir_column_v1 *columns;       /**< in order */
    uint32_t column_count;               /**< 1..64 */
    uint32_t column_stride;              /**< of `columns`, in bytes */
    const uint32_t *primary_key;         /**< column indexes, none of them nullable, float64 or json */
    uint32_t primary_key_count;          /**< at least 1 */
    uint32_t index_count;                /**< how many of `indexes` */
    const weir_index_v1 *indexes;        /**< indexes and unique constraints */
    uint32_t index_stride;               /**< of `indexes`, in bytes */
    uint32_t reference_count;            /**< how many of `references` */
    const weir_reference_v1 *references; /**< to other tables */
    uint32_t reference_stride;           /**< of `references`, in bytes */
    uint32_t reserved;                   /**< 0 */
} weir_table_v1;

/**
 * Rows that a handler is going to read, so that the host fetches and locks a whole batch's rows at once.
 * A read that was not declared works as well; it only costs a statement of its own.
 */
typedef struct weir_read_v1 {
    weir_view event_type; /**< the full type, "user.updated.v1" */
    uint32_t table;       /**< table index */
    uint32_t key_count;   /**< as many as the table's primary key has columns */
    /** A JSON pointer for each primary key column, in order, into the normalised envelope: "/tenant_id",
     *  "/event_id", "/payload/user_id". */
    const weir_view *key_pointers;
} weir_read_v1;

#define WEIR_NO_COLUMN 0xFFFFFFFFu /**< where a column index may be left out */

/**
 * A function for other clients of the same database, since ABI 1.1: `select votes.increment_vote('cats')`, say, adds 1 to the
 * count of the row with this key, which it makes where it is missing, puts the time on its time column, and returns the new count. It runs
 * with the rights of who calls it, beside the host's own batches, and is no event: a rebuild doesn't know of it. Stores without
 * functions (SQLite) have none. One of this name and these parameters that is there already stays as it is. The key is not
 * case-insensitive, and all other columns are nullable or have a literal default. An array element: its stride stands for its size.
 */
typedef struct weir_counter_v1 {
    weir_view name;        /**< `[a-z_][a-z0-9_]{0,62}`, unique among the plugin's counters */
    uint32_t table;        /**< table index */
    uint32_t count_column; /**< an int64 column, not of the key */
    uint32_t time_column;  /**< a timestamp column, not of the key, or WEIR_NO_COLUMN */
    uint32_t reserved;     /**< 0 */
} weir_counter_v1;

#ifdef __cplusplus
}
#endif

#endif /* WEIR_ABI_SCHEMA_H */
