/* SPDX-License-Identifier: Apache-2.0 */
/* What the core offers backends. */
#ifndef HAL_CORE_TABLE_H
#define HAL_CORE_TABLE_H

#include <halyard/backend.h>

extern const haly_core_table core_table;

#endif
