/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The whole of Weir plugin ABI 1. C authors include this; C++ authors include <weir/plugin.hpp>.
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include "abi/call.h"
#include "abi/event.h"
#include "abi/host.h"
#include "abi/plugin.h"
#include "abi/schema.h"
#include "abi/types.h"

#endif /* WEIR_ABI_H */
