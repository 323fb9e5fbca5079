/* SPDX-License-Identifier: Apache-2.0
 *
 * What ABI 1.2 added, in numbers. None of these may ever change. Compiles as C11 and as C++20. */
#include <weir/http.h>

#ifdef __cplusplus
#define HOLDS(condition) static_assert(condition, #condition)
#else
#define HOLDS(condition) _Static_assert(condition, #condition)
#endif

HOLDS(WEIR_HTTP_GUARDED == 2u);
HOLDS(WEIR_ABI_MINOR >= 2u);
