// SPDX-License-Identifier: Apache-2.0
// The same numbers, as C++20 sees them.
#include "layout_v1_2.c"
