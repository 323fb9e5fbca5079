/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin as it was written for ABI 1.0. Frozen with the headers it is built from (tests/abi/v1.0): every later host must load and run it. */
#include <string.h>
#include <weir/abi.h>

#define TEXT(literal)                                                                                                                      \
    { literal, sizeof(literal) - 1 }

static const weir_column_v1 columns[] = {
    {TEXT("id"), WEIR_TYPE_UUID, 0, 0, 0, WEIR_DEFAULT_NONE, 0, {NULL, 0}},
    {TEXT("name"), WEIR_TYPE_CITEXT, WEIR_COLUMN_NULLABLE, 0, 0, WEIR_DEFAULT_NONE, 0, {NULL, 0}},
    {TEXT("seen"), WEIR_TYPE_INT64, 0, 0, 0, WEIR_DEFAULT_LITERAL, 0, TEXT("0")},
    {TEXT("price"), WEIR_TYPE_DECIMAL, 0, 8, 2, WEIR_DEFAULT_LITERAL, 0, TEXT("1.50")},
    {TEXT("made_at"), WEIR_TYPE_TIMESTAMP, 0, 0, 0, WEIR_DEFAULT_NOW, 0, {NULL, 0}},
};
static const uint32_t id_column[] = {0};
static const uint32_t name_column[] = {1};
static const weir_index_v1 indexes[] = {{TEXT("things_name"), name_column, 1, WEIR_INDEX_UNIQUE}};
static const weir_table_v1 tables[] = {
    {TEXT("things"), columns, 5, sizeof(weir_column_v1), id_column, 1, 1, indexes, sizeof(weir_index_v1), 0, NULL, 0, 0},
};

static const weir_view pointers[] = {TEXT("/payload/id")};
static const weir_read_v1 reads[] = {{TEXT("thing.made.v2"), 0, 1, pointers}};

static const weir_alias_v1 aliases[] = {{TEXT("ThingMade"), TEXT("thing.made.v1")}};
static const weir_view keys[] = {TEXT("/payload/id")};
static const weir_binding_v1 bindings[] = {
    {TEXT("things.v1"), WEIR_BINDING_ENVELOPE_REQUIRED, 1, aliases, sizeof(weir_alias_v1), 1, keys, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}},
};
static const weir_view topics[] = {TEXT("things.v1")};
static const weir_domain_v1 domains[] = {
    {TEXT("first"), TEXT("first"), TEXT("first_group"), topics, 1, WEIR_ORDER_ORDERED, bindings, 1, sizeof(weir_binding_v1)},
};

static int instances;

static weir_status create(const weir_host_v1 *host, const weir_setup_v1 *setup, void **instance) {
    static const weir_view refusal = TEXT("settings: must be {}");
    if (setup->settings.size > 2 || host->abi_minor > 1000) {
        host->error(host, refusal);
        return WEIR_FATAL;
    }
    ++instances;
    *instance = &instances;
    return WEIR_OK;
}

static void destroy(void *instance) { --*(int *)instance; }

static const weir_plugin_descriptor_v1 descriptor = {
    sizeof(weir_plugin_descriptor_v1), 0, TEXT("first"), TEXT("1.0.0"), TEXT("Written for ABI 1.0"), tables, 1, sizeof(weir_table_v1), reads, 1,
    sizeof(weir_read_v1), domains, 1, sizeof(weir_domain_v1), {NULL, 0}, create, NULL, NULL, destroy, NULL};

WEIR_EXPORT const weir_plugin_descriptor_v1 *weir_plugin_v1(void) { return &descriptor; }

/* The first version counts blindly. */
WEIR_EXPORT weir_status handle_first_thing_made(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    static const weir_view id = TEXT("/id");
    static const weir_view name = TEXT("/name");
    static const weir_view code = TEXT("no_id");
    static const weir_view message = TEXT("/payload/id: is missing");
    weir_cell_v1 cells[3];
    weir_change_v1 change;
    memset(cells, 0, sizeof(cells));
    memset(&change, 0, sizeof(change));
    if (instance != &instances || event->text(event, id, &cells[0].text) != WEIR_FOUND) {
        call->error(call, code, message);
        return WEIR_REJECT;
    }
    cells[0].operation = WEIR_CELL_SET;
    cells[1].column = 1;
    cells[1].operation = WEIR_CELL_SET;
    cells[1].flags = event->text(event, name, &cells[1].text) == WEIR_FOUND ? 0 : WEIR_CELL_IS_NULL;
    cells[2].column = 2;
    cells[2].operation = WEIR_CELL_ADD;
    cells[2].integer = 1;
    change.size = sizeof(change);
    change.kind = WEIR_CHANGE_UPSERT;
    change.cells = cells;
    change.cell_count = 3;
    change.cell_stride = sizeof(cells[0]);
    call->change(call, &change);
    return WEIR_OK;
}

/* The second reads, and tells of what it has read. */
WEIR_EXPORT weir_status handle_first_thing_made_v2(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    static const weir_view id = TEXT("/id");
    weir_cell_v1 key;
    weir_emit_v1 emission = {sizeof(weir_emit_v1), 1, TEXT("things.out.v1"), {NULL, 0}, TEXT("thing.known.v1"), TEXT("{}"), NULL, sizeof(weir_header_v1), 0};
    weir_header_v1 header = {TEXT("name"), {NULL, 0}};
    const weir_row_v1 *row;
    (void)instance;
    memset(&key, 0, sizeof(key));
    if (event->text(event, id, &key.text) != WEIR_FOUND || call->read(call, 0, &key, 1, sizeof(key), &row) != WEIR_FOUND) {
        return WEIR_SKIP;
    }
    header.value = ((const weir_cell_v1 *)((const char *)row->cells + row->cell_stride))->text;
    emission.key = key.text;
    emission.headers = &header;
    call->emit(call, &emission);
    return WEIR_OK;
}
