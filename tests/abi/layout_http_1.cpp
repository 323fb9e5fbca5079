// SPDX-License-Identifier: Apache-2.0
// The same numbers, as C++20 sees them.
#include "layout_http_1.c"
