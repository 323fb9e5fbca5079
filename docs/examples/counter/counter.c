/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <weir/abi.h>

/* What can be said in literals is said in literals: a view is a pointer and a length. */
#define TEXT(literal)                                                                                                                      \
    { literal, sizeof(literal) - 1 }

/* The table: votes(choice text primary key, count int64 default 0). */
static const weir_column_v1 columns[] = {
    {TEXT("choice"), WEIR_TYPE_TEXT, 0, 0, 0, WEIR_DEFAULT_NONE, 0, {NULL, 0}},
    {TEXT("count"), WEIR_TYPE_INT64, 0, 0, 0, WEIR_DEFAULT_LITERAL, 0, TEXT("0")},
};
static const uint32_t primary_key[] = {0};
static const weir_table_v1 tables[] = {{.name = TEXT("votes"),
                                        .columns = columns,
                                        .column_count = 2,
                                        .column_stride = sizeof(weir_column_v1),
                                        .primary_key = primary_key,
                                        .primary_key_count = 1}};

/* The domain: bare messages such as {"vote": "cats"}, in any order, because sums commute. */
static const weir_view topics[] = {TEXT("votes")};
static const weir_binding_v1 bindings[] = {{.topic = TEXT("votes"), .event_id = TEXT("position"), .event_type = TEXT("=vote.cast.v1")}};
static const weir_domain_v1 domains[] = {{.name = TEXT("counter"),
                                          .schema = TEXT("counter"),
                                          .group = TEXT("counter_group"),
                                          .topics = topics,
                                          .topic_count = 1,
                                          .order = WEIR_ORDER_PARALLEL,
                                          .bindings = bindings,
                                          .binding_count = 1,
                                          .binding_stride = sizeof(weir_binding_v1)}};

static const weir_plugin_descriptor_v1 descriptor = {.size = sizeof(weir_plugin_descriptor_v1),
                                                     .name = TEXT("counter"),
                                                     .version = TEXT("1.0.0"),
                                                     .summary = TEXT("Counts votes"),
                                                     .tables = tables,
                                                     .table_count = 1,
                                                     .table_stride = sizeof(weir_table_v1),
                                                     .domains = domains,
                                                     .domain_count = 1,
                                                     .domain_stride = sizeof(weir_domain_v1)};

WEIR_EXPORT const weir_plugin_descriptor_v1 *weir_plugin_v1(void) { return &descriptor; }

WEIR_EXPORT weir_status handle_counter_vote_cast(void *instance, const weir_event_v1 *event, const weir_call_v1 *call) {
    static const weir_view vote = TEXT("/vote");
    static const weir_view code = TEXT("invalid_field");
    static const weir_view message = TEXT("/vote: must be text");
    weir_cell_v1 cells[2];
    weir_change_v1 change;
    (void)instance;

    memset(cells, 0, sizeof(cells));
    if (event->text(event, vote, &cells[0].text) != WEIR_FOUND) {
        call->error(call, code, message);
        return WEIR_REJECT;
    }
    cells[0].column = 0;
    cells[0].operation = WEIR_CELL_SET;
    cells[1].column = 1;
    cells[1].operation = WEIR_CELL_ADD;
    cells[1].integer = 1;

    memset(&change, 0, sizeof(change));
    change.size = sizeof(change);
    change.table = 0;
    change.kind = WEIR_CHANGE_UPSERT;
    change.cells = cells;
    change.cell_count = 2;
    change.cell_stride = sizeof(weir_cell_v1);
    call->change(call, &change); /* what is wrong with it, the host notes itself */
    return WEIR_OK;
}
