/* SPDX-License-Identifier: Apache-2.0 */
/* Private blocks: what a backend gets for each object, zeroed and 64-byte aligned. */
#ifndef HAL_BLOCK_H
#define HAL_BLOCK_H

#include <stdint.h>

/* Never NULL for size 0, so that a block also tells objects apart. NULL: out of memory. */
void *block_create(uint32_t size);
void block_destroy(void *block);

#endif
