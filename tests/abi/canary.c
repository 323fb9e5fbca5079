/* SPDX-License-Identifier: Apache-2.0
 *
 * A variable of every type of the ABI, so that abidiff sees all of them, also those that are only ever reached through `const void *`. */
#include <weir/abi.h>

WEIR_EXPORT weir_cell_v1 canary_of_weir_cell_v1;
WEIR_EXPORT weir_change_v1 canary_of_weir_change_v1;
WEIR_EXPORT weir_row_v1 canary_of_weir_row_v1;
WEIR_EXPORT weir_header_v1 canary_of_weir_header_v1;
WEIR_EXPORT weir_emit_v1 canary_of_weir_emit_v1;
WEIR_EXPORT weir_scan_v1 canary_of_weir_scan_v1;
WEIR_EXPORT weir_call_v1 canary_of_weir_call_v1;
WEIR_EXPORT weir_event_v1 canary_of_weir_event_v1;
WEIR_EXPORT weir_host_v1 canary_of_weir_host_v1;
WEIR_EXPORT weir_alias_v1 canary_of_weir_alias_v1;
WEIR_EXPORT weir_binding_v1 canary_of_weir_binding_v1;
WEIR_EXPORT weir_domain_v1 canary_of_weir_domain_v1;
WEIR_EXPORT weir_setup_v1 canary_of_weir_setup_v1;
WEIR_EXPORT weir_plugin_descriptor_v1 canary_of_weir_plugin_descriptor_v1;
WEIR_EXPORT weir_column_v1 canary_of_weir_column_v1;
WEIR_EXPORT weir_index_v1 canary_of_weir_index_v1;
WEIR_EXPORT weir_reference_v1 canary_of_weir_reference_v1;
WEIR_EXPORT weir_table_v1 canary_of_weir_table_v1;
WEIR_EXPORT weir_read_v1 canary_of_weir_read_v1;
WEIR_EXPORT weir_counter_v1 canary_of_weir_counter_v1;
WEIR_EXPORT weir_view canary_of_weir_view;
WEIR_EXPORT weir_row_sink canary_of_weir_row_sink;
WEIR_EXPORT weir_handler_v1 canary_of_weir_handler_v1;
WEIR_EXPORT weir_plugin_entry_v1 canary_of_weir_plugin_entry_v1;
WEIR_EXPORT weir_status canary_of_weir_status;
WEIR_EXPORT weir_answer canary_of_weir_answer;
