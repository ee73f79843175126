/* SPDX-License-Identifier: Apache-2.0 */
/* Completing a backend's table: what it lacks returns HALY_ERR_UNSUPPORTED, so that no entry is ever NULL. */
#ifndef HAL_STUBS_H
#define HAL_STUBS_H

#include <halyard/backend.h>

/* Copies what `table` has (its struct_size was checked) and fills the rest with stubs of the right type. */
void stubs_complete(const haly_backend_table *table, haly_backend_table *out_table);

#endif
