/* SPDX-License-Identifier: Apache-2.0
 *
 * ABI 1.0 in numbers, on machines with 64-bit pointers: sizes, offsets and constants. None of these may ever change; members that are appended
 * after these are asserted in a file of their own. Compiles as C11 and as C++20. */
#include <weir/abi.h>

#ifdef __cplusplus
#define HOLDS(condition) static_assert(condition, #condition)
#else
#define HOLDS(condition) _Static_assert(condition, #condition)
#endif
#define SIZE_AT_LEAST(type, bytes) HOLDS(sizeof(type) >= (bytes))
#define SIZE(type, bytes) HOLDS(sizeof(type) == (bytes))
#define AT(type, member, bytes) HOLDS(offsetof(type, member) == (bytes))


SIZE_AT_LEAST(weir_cell_v1, 48);
AT(weir_cell_v1, column, 0);
AT(weir_cell_v1, operation, 4);
AT(weir_cell_v1, flags, 8);
AT(weir_cell_v1, reserved, 12);
AT(weir_cell_v1, integer, 16);
AT(weir_cell_v1, number, 24);
AT(weir_cell_v1, text, 32);

SIZE_AT_LEAST(weir_change_v1, 40);
AT(weir_change_v1, size, 0);
AT(weir_change_v1, table, 4);
AT(weir_change_v1, kind, 8);
AT(weir_change_v1, cell_count, 12);
AT(weir_change_v1, cells, 16);
AT(weir_change_v1, cell_stride, 24);
AT(weir_change_v1, reserved, 28);
AT(weir_change_v1, guard, 32);

SIZE_AT_LEAST(weir_row_v1, 24);
AT(weir_row_v1, size, 0);
AT(weir_row_v1, cell_count, 4);
AT(weir_row_v1, cells, 8);
AT(weir_row_v1, cell_stride, 16);
AT(weir_row_v1, reserved, 20);

SIZE_AT_LEAST(weir_header_v1, 32);
AT(weir_header_v1, name, 0);
AT(weir_header_v1, value, 16);

SIZE_AT_LEAST(weir_emit_v1, 88);
AT(weir_emit_v1, size, 0);
AT(weir_emit_v1, header_count, 4);
AT(weir_emit_v1, topic, 8);
AT(weir_emit_v1, key, 24);
AT(weir_emit_v1, event_type, 40);
AT(weir_emit_v1, payload, 56);
AT(weir_emit_v1, headers, 72);
AT(weir_emit_v1, header_stride, 80);
AT(weir_emit_v1, reserved, 84);

SIZE_AT_LEAST(weir_scan_v1, 56);
AT(weir_scan_v1, size, 0);
AT(weir_scan_v1, table, 4);
AT(weir_scan_v1, index, 8);
AT(weir_scan_v1, limit, 12);
AT(weir_scan_v1, from, 16);
AT(weir_scan_v1, to, 24);
AT(weir_scan_v1, from_count, 32);
AT(weir_scan_v1, to_count, 36);
AT(weir_scan_v1, after, 40);
AT(weir_scan_v1, after_count, 48);
AT(weir_scan_v1, cell_stride, 52);

SIZE_AT_LEAST(weir_call_v1, 80);
AT(weir_call_v1, size, 0);
AT(weir_call_v1, reserved, 4);
AT(weir_call_v1, host, 8);
AT(weir_call_v1, now_us, 16);
AT(weir_call_v1, change, 24);
AT(weir_call_v1, read, 32);
AT(weir_call_v1, scan, 40);
AT(weir_call_v1, emit, 48);
AT(weir_call_v1, new_id, 56);
AT(weir_call_v1, error, 64);
AT(weir_call_v1, log, 72);

SIZE_AT_LEAST(weir_event_v1, 224);
AT(weir_event_v1, size, 0);
AT(weir_event_v1, schema_version, 4);
AT(weir_event_v1, host, 8);
AT(weir_event_v1, event_id, 16);
AT(weir_event_v1, event_type, 32);
AT(weir_event_v1, tenant_id, 48);
AT(weir_event_v1, correlation_id, 64);
AT(weir_event_v1, topic, 80);
AT(weir_event_v1, key, 96);
AT(weir_event_v1, occurred_at_us, 112);
AT(weir_event_v1, appended_at_us, 120);
AT(weir_event_v1, attempt, 128);
AT(weir_event_v1, reserved, 132);
AT(weir_event_v1, message, 136);
AT(weir_event_v1, kind, 152);
AT(weir_event_v1, text, 160);
AT(weir_event_v1, integer, 168);
AT(weir_event_v1, number, 176);
AT(weir_event_v1, boolean, 184);
AT(weir_event_v1, timestamp, 192);
AT(weir_event_v1, json, 200);
AT(weir_event_v1, length, 208);
AT(weir_event_v1, header, 216);

SIZE_AT_LEAST(weir_host_v1, 56);
AT(weir_host_v1, size, 0);
AT(weir_host_v1, abi_minor, 4);
AT(weir_host_v1, self, 8);
AT(weir_host_v1, version, 16);
AT(weir_host_v1, log, 32);
AT(weir_host_v1, error, 40);
AT(weir_host_v1, extension, 48);

SIZE_AT_LEAST(weir_alias_v1, 32);
AT(weir_alias_v1, alias, 0);
AT(weir_alias_v1, event_type, 16);

SIZE_AT_LEAST(weir_binding_v1, 144);
AT(weir_binding_v1, topic, 0);
AT(weir_binding_v1, flags, 16);
AT(weir_binding_v1, alias_count, 20);
AT(weir_binding_v1, aliases, 24);
AT(weir_binding_v1, alias_stride, 32);
AT(weir_binding_v1, key_count, 36);
AT(weir_binding_v1, keys, 40);
AT(weir_binding_v1, event_id, 48);
AT(weir_binding_v1, event_type, 64);
AT(weir_binding_v1, occurred_at, 80);
AT(weir_binding_v1, tenant_id, 96);
AT(weir_binding_v1, correlation_id, 112);
AT(weir_binding_v1, payload, 128);

SIZE_AT_LEAST(weir_domain_v1, 80);
AT(weir_domain_v1, name, 0);
AT(weir_domain_v1, schema, 16);
AT(weir_domain_v1, group, 32);
AT(weir_domain_v1, topics, 48);
AT(weir_domain_v1, topic_count, 56);
AT(weir_domain_v1, order, 60);
AT(weir_domain_v1, bindings, 64);
AT(weir_domain_v1, binding_count, 72);
AT(weir_domain_v1, binding_stride, 76);

SIZE_AT_LEAST(weir_setup_v1, 56);
AT(weir_setup_v1, size, 0);
AT(weir_setup_v1, generation, 4);
AT(weir_setup_v1, domain, 8);
AT(weir_setup_v1, schema, 24);
AT(weir_setup_v1, settings, 40);

SIZE_AT_LEAST(weir_plugin_descriptor_v1, 160);
AT(weir_plugin_descriptor_v1, size, 0);
AT(weir_plugin_descriptor_v1, abi_minor, 4);
AT(weir_plugin_descriptor_v1, name, 8);
AT(weir_plugin_descriptor_v1, version, 24);
AT(weir_plugin_descriptor_v1, summary, 40);
AT(weir_plugin_descriptor_v1, tables, 56);
AT(weir_plugin_descriptor_v1, table_count, 64);
AT(weir_plugin_descriptor_v1, table_stride, 68);
AT(weir_plugin_descriptor_v1, reads, 72);
AT(weir_plugin_descriptor_v1, read_count, 80);
AT(weir_plugin_descriptor_v1, read_stride, 84);
AT(weir_plugin_descriptor_v1, domains, 88);
AT(weir_plugin_descriptor_v1, domain_count, 96);
AT(weir_plugin_descriptor_v1, domain_stride, 100);
AT(weir_plugin_descriptor_v1, settings, 104);
AT(weir_plugin_descriptor_v1, create, 120);
AT(weir_plugin_descriptor_v1, start, 128);
AT(weir_plugin_descriptor_v1, drain, 136);
AT(weir_plugin_descriptor_v1, destroy, 144);
AT(weir_plugin_descriptor_v1, extension, 152);

SIZE_AT_LEAST(weir_column_v1, 56);
AT(weir_column_v1, name, 0);
AT(weir_column_v1, type, 16);
AT(weir_column_v1, flags, 20);
AT(weir_column_v1, precision, 24);
AT(weir_column_v1, scale, 28);
AT(weir_column_v1, default_kind, 32);
AT(weir_column_v1, reserved, 36);
AT(weir_column_v1, default_text, 40);

SIZE_AT_LEAST(weir_index_v1, 32);
AT(weir_index_v1, name, 0);
AT(weir_index_v1, columns, 16);
AT(weir_index_v1, column_count, 24);
AT(weir_index_v1, flags, 28);

SIZE_AT_LEAST(weir_reference_v1, 24);
AT(weir_reference_v1, columns, 0);
AT(weir_reference_v1, column_count, 8);
AT(weir_reference_v1, target_table, 12);
AT(weir_reference_v1, target_columns, 16);

SIZE_AT_LEAST(weir_table_v1, 80);
AT(weir_table_v1, name, 0);
AT(weir_table_v1, columns, 16);
AT(weir_table_v1, column_count, 24);
AT(weir_table_v1, column_stride, 28);
AT(weir_table_v1, primary_key, 32);
AT(weir_table_v1, primary_key_count, 40);
AT(weir_table_v1, index_count, 44);
AT(weir_table_v1, indexes, 48);
AT(weir_table_v1, index_stride, 56);
AT(weir_table_v1, reference_count, 60);
AT(weir_table_v1, references, 64);
AT(weir_table_v1, reference_stride, 72);
AT(weir_table_v1, reserved, 76);

SIZE_AT_LEAST(weir_read_v1, 32);
AT(weir_read_v1, event_type, 0);
AT(weir_read_v1, table, 16);
AT(weir_read_v1, key_count, 20);
AT(weir_read_v1, key_pointers, 24);

SIZE(weir_view, 16); /* embedded by value: exactly this, for ever */
AT(weir_view, data, 0);
AT(weir_view, size, 8);

HOLDS(WEIR_CHANGE_UPSERT == 1u);
HOLDS(WEIR_CHANGE_INSERT == 2u);
HOLDS(WEIR_CHANGE_UPDATE == 3u);
HOLDS(WEIR_CHANGE_ERASE == 4u);
HOLDS(WEIR_CELL_SET == 1u);
HOLDS(WEIR_CELL_KEEP == 2u);
HOLDS(WEIR_CELL_ADD == 3u);
HOLDS(WEIR_CELL_MAX == 4u);
HOLDS(WEIR_CELL_MIN == 5u);
HOLDS(WEIR_CELL_IS_NULL == 1u);
HOLDS(WEIR_SCAN_PRIMARY_KEY == 0xFFFFFFFFu);
HOLDS(WEIR_JSON_ABSENT == 0u);
HOLDS(WEIR_JSON_NULL == 1u);
HOLDS(WEIR_JSON_BOOL == 2u);
HOLDS(WEIR_JSON_INTEGER == 3u);
HOLDS(WEIR_JSON_NUMBER == 4u);
HOLDS(WEIR_JSON_TEXT == 5u);
HOLDS(WEIR_JSON_ARRAY == 6u);
HOLDS(WEIR_JSON_OBJECT == 7u);
HOLDS(WEIR_BINDING_ENVELOPE_REQUIRED == 1u);
HOLDS(WEIR_ORDER_ORDERED == 0u);
HOLDS(WEIR_ORDER_PARALLEL == 1u);
HOLDS(WEIR_TYPE_TEXT == 1u);
HOLDS(WEIR_TYPE_CITEXT == 2u);
HOLDS(WEIR_TYPE_INT64 == 3u);
HOLDS(WEIR_TYPE_FLOAT64 == 4u);
HOLDS(WEIR_TYPE_DECIMAL == 5u);
HOLDS(WEIR_TYPE_BOOL == 6u);
HOLDS(WEIR_TYPE_UUID == 7u);
HOLDS(WEIR_TYPE_TIMESTAMP == 8u);
HOLDS(WEIR_TYPE_JSON == 9u);
HOLDS(WEIR_TYPE_BYTES == 10u);
HOLDS(WEIR_COLUMN_NULLABLE == 1u);
HOLDS(WEIR_DEFAULT_NONE == 0u);
HOLDS(WEIR_DEFAULT_LITERAL == 1u);
HOLDS(WEIR_DEFAULT_NOW == 2u);
HOLDS(WEIR_DEFAULT_NEW_ID == 3u);
HOLDS(WEIR_INDEX_UNIQUE == 1u);
HOLDS(WEIR_ABI_MAJOR == 1u);
HOLDS(WEIR_OK == 0);
HOLDS(WEIR_SKIP == 1);
HOLDS(WEIR_REJECT == 2);
HOLDS(WEIR_RETRY == 3);
HOLDS(WEIR_FATAL == 4);
HOLDS(WEIR_FOUND == 0);
HOLDS(WEIR_ABSENT == 1);
HOLDS(WEIR_NULL == 2);
HOLDS(WEIR_WRONG_TYPE == 3);
HOLDS(WEIR_REFUSED == 4);
HOLDS(WEIR_LOG_DEBUG == 1u);
HOLDS(WEIR_LOG_INFO == 2u);
HOLDS(WEIR_LOG_WARN == 3u);
HOLDS(WEIR_LOG_ERROR == 4u);
