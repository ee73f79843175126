/* SPDX-License-Identifier: Apache-2.0 */
/* Native handles. */
#ifndef CPU_NATIVE_H
#define CPU_NATIVE_H

#include "cpu_core.h"

haly_status cpu_native_get(haly_object_kind kind, void *block, haly_native *out_native);

#endif
