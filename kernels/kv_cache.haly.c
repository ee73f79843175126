/* SPDX-License-Identifier: Apache-2.0 */
/* Appends keys and values to their caches at a position given as a value or read from device memory, a group a row. */
#define HALY_MAX_ITEMS 64
#include <halyard/kernel.h>
#include "access.h"

#define KERNEL_BODY "kv_cache_body.h"
#include "for_each_real.h"
