/* SPDX-License-Identifier: Apache-2.0
 *
 * What ABI 1.1 appended, in numbers, on machines with 64-bit pointers. None of these may ever change. Compiles as C11 and as C++20. */
#include <weir/abi.h>

#ifdef __cplusplus
#define HOLDS(condition) static_assert(condition, #condition)
#else
#define HOLDS(condition) _Static_assert(condition, #condition)
#endif
#define SIZE_AT_LEAST(type, bytes) HOLDS(sizeof(type) >= (bytes))
#define AT(type, member, bytes) HOLDS(offsetof(type, member) == (bytes))

SIZE_AT_LEAST(weir_plugin_descriptor_v1, 176);
AT(weir_plugin_descriptor_v1, counters, 160);
AT(weir_plugin_descriptor_v1, counter_count, 168);
AT(weir_plugin_descriptor_v1, counter_stride, 172);

SIZE_AT_LEAST(weir_counter_v1, 32);
AT(weir_counter_v1, name, 0);
AT(weir_counter_v1, table, 16);
AT(weir_counter_v1, count_column, 20);
AT(weir_counter_v1, time_column, 24);
AT(weir_counter_v1, reserved, 28);

HOLDS(WEIR_NO_COLUMN == 0xFFFFFFFFu);
